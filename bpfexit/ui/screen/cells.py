"""A screen as a grid of cells, made from rich's segments. Pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

PLAIN = Style()
Cell = tuple[str, Style]
"""A character with its combining marks, and its style; "" in the second column of a wide one."""

Line = tuple[Cell, ...]
Grid = tuple[Line, ...]

BLANK: Cell = (" ", PLAIN)

_KEPT = 4096


class Size(NamedTuple):
    """Columns and lines of a terminal."""

    width: int
    height: int


def grid(lines: Iterable[Iterable[Segment]], size: Size) -> Grid:
    """Return the cells of lines that are cut, or filled with blanks, to a size."""
    found = [line(segments, size.width) for segments in islice(lines, size.height)]
    return (*found, *blank(Size(size.width, size.height - len(found))))


def blank(size: Size) -> Grid:
    """Return an empty screen."""
    return ((BLANK,) * size.width,) * size.height


def line(segments: Iterable[Segment], width: int) -> Line:
    """Return a line of exactly `width` cells."""
    cells: list[Cell] = []
    for text, style, _ in segments:
        narrow = _narrow_cells(style or PLAIN)
        try:
            cells += [*map(narrow.__getitem__, text)]
        except KeyError:
            _add(cells, text, style or PLAIN)
        if len(cells) >= width:
            return _cut(cells, width)
    return (*cells, *((BLANK,) * (width - len(cells))))


def texts(of: Sequence[Line]) -> list[str]:
    """Return the characters of lines, without the blanks at their ends."""
    return ["".join(text for text, _ in cells).rstrip() for cells in of]


class _NarrowCells(dict[str, Cell]):
    """The cells of one style, by character; it lacks those that do not take one column.

    The same cell is always the same object, so that comparing grids takes little time.
    """

    def __init__(self, style: Style) -> None:
        self._style = style

    def __missing__(self, character: str) -> Cell:
        if columns(character) != 1:
            raise KeyError(character)
        if len(self) >= _KEPT:
            self.clear()
        cell = self[character] = (character, self._style)
        return cell


@lru_cache(256)
def _narrow_cells(style: Style) -> _NarrowCells:
    return _NarrowCells(style)


def _add(cells: list[Cell], text: str, style: Style) -> None:
    for each in text:
        size = columns(each)
        if size == 0:
            _mark(cells, each)
            continue
        cells.append((each, style))
        if size == 2:
            cells.append(("", style))


def _mark(cells: list[Cell], mark: str) -> None:
    """Put a combining mark on the last character."""
    place = len(cells) - (2 if cells and not cells[-1][0] else 1)
    if place >= 0:
        text, style = cells[place]
        cells[place] = (text + mark, style)


def _cut(cells: list[Cell], width: int) -> Line:
    """Return the first cells; half of a wide character becomes a blank."""
    if width < len(cells) and width and cells[width][0] == "":
        cells[width - 1] = (" ", cells[width - 1][1])
    return tuple(cells[:width])


@lru_cache(_KEPT)
def columns(character: str) -> int:
    """Return how many columns a character takes: 0, 1 or 2."""
    return cell_len(character)
