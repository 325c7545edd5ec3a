"""Options that several commands share, and the types of their values."""

from collections.abc import Callable
from typing import Any

import click

from bpfexit.model.view import COLUMNS, DIMENSIONS


class NumberList(click.ParamType[tuple[int, ...]]):
    """`1,2,3`: numbers from 0 on."""

    name = "N[,N]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 1,2", param, ctx)
        if not all(0 <= number < 2**32 for number in numbers):
            self.fail(f"{value!r} holds a number that is out of range", param, ctx)
        return numbers


class NameList(click.ParamType[tuple[str, ...]]):
    """`a,b`: names out of a few, or any when none are given."""

    name = "NAME[,NAME]"

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        self._known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        for name in names:
            if not name or (self._known and name not in self._known):
                self.fail(f"{name!r} is none of {', '.join(self._known)}", param, ctx)
        return names


SECONDS = click.FloatRange(min=0.01, max=86400 * 366)
INTERVAL = click.FloatRange(min=0.1, max=86400)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p, -v and --reason: which exits to count at all."""
    options: list[Decorator] = [
        click.option(
            "-p", "--pid", "pids", type=NumberList(), default=(), help="Only guests of these PIDs."
        ),
        click.option(
            "-v", "--vcpu", "vcpus", type=NumberList(), default=(), help="Only these vCPUs."
        ),
        click.option(
            "--reason",
            "reasons",
            type=NameList(),
            default=(),
            help="Only exits of these reasons, named as the kernel names them.",
        ),
    ]
    return _with(command, options)


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --by, --sort and -n: what to show of what was counted."""
    options: list[Decorator] = [
        click.option(
            "--by",
            type=NameList(DIMENSIONS),
            help=f"Group by these, several at once: {', '.join(DIMENSIONS)}.",
        ),
        click.option(
            "--sort", type=click.Choice(COLUMNS), default="time", show_default=True, help="Order."
        ),
        click.option(
            "-n",
            "--rows",
            "limit",
            type=click.IntRange(min=0),
            default=0,
            metavar="ROWS",
            help="Show at most so many lines; 0 for all.",
        ),
    ]
    return _with(command, options)


def _with(command: Callable[..., Any], options: list[Decorator]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
