"""What a shell completes: values of options that are names, and the guests that are running."""

from collections.abc import Callable, Iterable, Mapping

import click
from click.shell_completion import CompletionItem

from bpfexit.errors import BpfexitError
from bpfexit.model.text import clean

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_Names = Callable[[], Iterable[str] | Mapping[str, str]]


def name_of(names: _Names) -> Complete:
    """Complete one of some names; where `names` returns a mapping, to what each means."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del ctx, param
        return _items(names(), "", incomplete)

    return complete


def list_of(names: _Names) -> Complete:
    """Complete the last of a list with commas, by names that are not in it yet."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del ctx, param
        before, comma, last = incomplete.rpartition(",")
        known, given = names(), before.split(",")
        left = {name: _meaning(known, name) for name in known if name not in given}
        return _items(left, before + comma, last)

    return complete


def running_guests() -> dict[str, str]:
    """Return the processes of the guests that are running, with their names."""
    from bpfexit.guests.listing import list_guests  # noqa: PLC0415 - late: for the shell alone

    try:
        guests = list_guests().guests
    except BpfexitError:  # a shell has no place for it
        return {}
    return {str(each.guest.pid): clean(each.guest.name) for each in guests}


def _items(names: Iterable[str], before: str, last: str) -> list[CompletionItem]:
    return [
        CompletionItem(before + name, help=_meaning(names, name))
        for name in names
        if name.startswith(last)
    ]


def _meaning(names: Iterable[str], name: str) -> str:
    return names[name] if isinstance(names, Mapping) else ""
