"""What to write to a terminal so that one grid becomes another. Pure."""

import re
from collections.abc import Callable, Iterator
from itertools import compress, groupby, takewhile
from operator import itemgetter, ne
from typing import NamedTuple

from rich.style import Style

from bpfexit.ui.screen.cells import BLANK, PLAIN, Cell, Grid, Line

Sgr = Callable[[Style], str]
"""Gives the codes of a style between `\\x1b[` and `m`; "" for none."""

_TEXT, _STYLE = itemgetter(0), itemgetter(1)
"""Of a cell."""

_GAP = 4
"""Unchanged cells that are written again: jumping over them takes as many bytes."""

_TAIL = 3
"""Blanks that are written; more of them at the end of a line are erased."""


class Difference(NamedTuple):
    """What is written, what the terminal then shows, and the line to go on with.

    `is_last` tells that nothing is left.
    """

    text: str
    shown: Grid
    line: int
    is_last: bool


def diff(before: Grid, after: Grid, sgr: Sgr, first: int, most: int) -> Difference:
    """Return what changes the lines of `before`, from line `first` on and round to it.

    It ends with the first line after which it is longer than `most` characters. Both grids
    have the same size.
    """
    writer = _Writer(sgr)
    shown = list(before)
    for place in range(len(after)):
        number = (first + place) % len(after)
        if shown[number] != after[number]:
            writer.line(number, shown[number], after[number])
            shown[number] = after[number]
        if writer.size > most:
            return Difference(writer.text(), tuple(shown), number + 1, is_last=False)
    return Difference(writer.text(), tuple(shown), 0, is_last=True)


class _Writer:
    """Collects text and escape sequences; it knows where the cursor is, and the style."""

    def __init__(self, sgr: Sgr) -> None:
        self._sgr = sgr
        self._style = PLAIN
        self._parts: list[str] = []
        self._at: tuple[int, int] | None = None
        self.size = 0

    def text(self) -> str:
        """Return everything; the style at its end is plain."""
        self._set(PLAIN)
        return "".join(self._parts)

    def line(self, number: int, before: Line, after: Line) -> None:
        """Write what has changed in a line."""
        end = _end(after)
        if len(after) - end <= _TAIL:
            end = len(after)
        if not (_is_sure(before) and _is_sure(after)):
            self._whole(number, after, end)
            return
        for first, last in _runs(before, after, end):
            self._move(number, first)
            self._cells(after[first:last])
            self._at = (number, last)
        if before[end:] != after[end:]:
            self._erase(number, end)

    def _whole(self, number: int, after: Line, end: int) -> None:
        """Write a line of which some text may be wider or narrower on this terminal than here.

        So what was there is erased, and what comes after such text is put in its place.
        """
        first = 0
        self._erase(number, 0)
        for is_sure, run in groupby(after[:end], _is_sure_cell):
            part = tuple(run)
            self._move(number, first)
            self._cells(part)
            first += len(part)
            self._at = (number, first) if is_sure else None
        if self._at is None and end < len(after):
            self._erase(number, end)

    def _cells(self, cells: Line) -> None:
        for style, run in groupby(cells, _STYLE):
            self._set(style)
            self._put("".join(map(_TEXT, run)))

    def _erase(self, number: int, column: int) -> None:
        """Erase a line from a column on."""
        self._move(number, column)
        self._set(PLAIN)
        self._put("\x1b[K")

    def _move(self, number: int, column: int) -> None:
        if self._at == (number, column):
            return
        if self._at and self._at[0] == number:
            step = column - self._at[1]
            self._put("\x1b[C" if step == 1 else f"\x1b[{step}C")
        else:
            self._put(f"\x1b[{number + 1};{column + 1}H" if column else f"\x1b[{number + 1}H")
        self._at = (number, column)

    def _set(self, style: Style) -> None:
        if style is self._style or style == self._style:
            return
        codes = self._sgr(style)
        was_plain = not self._sgr(self._style)
        self._style = style
        if codes:
            self._put(f"\x1b[{codes}m" if was_plain else f"\x1b[0;{codes}m")
        elif not was_plain:
            self._put("\x1b[m")

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self.size += len(text)


def _end(cells: Line) -> int:
    """Return where the plain blanks at the end of a line begin."""
    return len(cells) - len([*takewhile(BLANK.__eq__, reversed(cells))])


def _runs(before: Line, after: Line, end: int) -> Iterator[tuple[int, int]]:
    """Yield first and last place (exclusive) of the changed cells, with the small gaps between."""
    first = last = -1
    for place in compress(range(end), map(ne, before, after)):
        if first < 0:
            first = place
        elif place - last > _GAP:
            yield first, last
            first = place
        last = place + 1
    if first >= 0:
        yield first, last


def _is_sure(cells: Line) -> bool:
    """Whether every terminal agrees on the width of this text."""
    return _SURE.fullmatch("".join(map(_TEXT, cells))) is not None


def _is_sure_cell(cell: Cell) -> bool:
    return bool(cell[0]) and _SURE.fullmatch(cell[0]) is not None


_SURE = re.compile(
    "["
    "\x20-\x7e\xa1-\xac\xae-\u02ff"  # Latin
    "\u0370-\u0482\u048a-\u052f"  # Greek, Cyrillic
    "\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u259f"  # punctuation, arrows, blocks
    "\u3041-\u3096\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Japanese, Chinese
    "\uac00-\ud7a3\uff01-\uff60"  # Korean, full width
    "]*"
)
"""Characters of scripts and symbols that stand alone, whose width depends on nothing."""
