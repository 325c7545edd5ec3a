"""What `bpfexit doctor` shows: a line for each check, and in it what to do."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from bpfexit.host.check import Check, Status
from bpfexit.model.text import clean

MARKS = {Status.OK: "ok", Status.WARN: "warn", Status.FAIL: "FAIL"}
STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}

_MARK_WIDTH = 6
_LIMIT = 4000
"""Characters of a fact: the verifier and the compiler have much to say."""
_NARROWEST = 20
"""Columns below which the terminal itself breaks lines better."""


def lines(checks: Sequence[Check], width: int | None) -> Iterator[Text]:
    """Yield each fact beside its name, broken at `width` columns; unbroken for None."""
    name_width = max((len(check.name) for check in checks), default=0) + 2
    for check in checks:
        yield from _lines(check, name_width, width)


def _lines(check: Check, name_width: int, width: int | None) -> Iterator[Text]:
    indent = _MARK_WIDTH + name_width
    first, *rest = _broken(check.sentence, indent, width)
    yield Text.assemble(
        (MARKS[check.status].ljust(_MARK_WIDTH), STYLES[check.status]),
        check.name.ljust(name_width),
        first,
    )
    for line in rest:
        yield Text(" " * indent + line)


def _broken(text: str, indent: int, width: int | None) -> list[str]:
    shown = clean(text, _LIMIT)
    if width is None or width - indent < _NARROWEST:
        return [shown]
    return textwrap.wrap(shown, width - indent) or [""]
