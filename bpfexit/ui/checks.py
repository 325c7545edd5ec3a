"""The output of `bpfexit doctor`: a line per check, with advice."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from bpfexit.host.check import Check, Status
from bpfexit.model.text import clean

MARKS = {Status.OK: "ok", Status.WARN: "warn", Status.FAIL: "FAIL"}
STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}

_MARK_WIDTH = 6
_LIMIT = 4000
"""Maximum characters of a fact: the verifier and the compiler print a lot."""
_NARROWEST = 20
"""Minimum width in columns; a narrower terminal wraps the lines itself."""


def lines(checks: Sequence[Check], width: int | None) -> Iterator[Text]:
    """Yield each fact next to its name, wrapped at `width` columns; not wrapped for None."""
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
