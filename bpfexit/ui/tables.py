"""A view's table as rich renderables. No I/O, nothing computed.

Every text that comes from a guest or a file goes through `clean` into a `Text`:
rich's markup is never interpreted.
"""

from collections.abc import Iterator, Sequence
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model.column import Column
from bpfexit.model.columns import ON_REQUEST, columns_at, columns_of
from bpfexit.model.lines import Line
from bpfexit.model.view import View
from bpfexit.ui.header import plural
from bpfexit.ui.labels import (
    LABEL_WIDTH,
    HasLines,
    add_labels,
    guests_of,
    labels,
    longest,
    named_by,
    shared_names,
)

_NUMBER_WIDTH = 6
"""Minimum width of a number column."""

BLOCK = 1024
"""Lines of a table that are laid out at once; rich takes some kilobytes for each."""

NO_EXITS = "no exits to show"
NO_GUESTS = "No KVM guest is running; guests appear here when they start."

NO_CHOSEN_GUESTS = "No matching guest is running; matching guests appear here when they start."

SHOW_ALL = "-n 0 shows all"
"""How to see hidden lines in a pipe or a summary."""


def table(view: View, width: int, more: str = SHOW_ALL, empty: str = NO_EXITS) -> RenderableType:
    """Return the view's lines as a table.

    `more` is how to see hidden lines, `empty` why there are no lines.
    """
    return Group(*table_parts(view, width, more, empty))


def table_parts(
    view: View, width: int, more: str = SHOW_ALL, empty: str = NO_EXITS
) -> Iterator[RenderableType]:
    """Yield the same in parts, which are one table when one is printed below another."""
    layout = _Layout(view, width)
    for first in range(0, max(1, len(view.lines)), BLOCK):
        yield layout.grid(view.lines[first : first + BLOCK], has_header=not first)
    yield from footnotes(view, more, empty)


class _Layout:
    """The columns of a view's table, which are as wide as all of its lines need."""

    def __init__(self, view: View, width: int) -> None:
        self._sort = view.query.sort
        self._is_tree = bool(view.query.groups and view.query.kinds)
        self._labels = labels(view.query, shared_names(guests_of(view.lines)), view.ended)
        self._sizes = longest(self._labels, view.lines)
        self._columns = self._shown(view, width)
        self._room = max(_NUMBER_WIDTH, width - LABEL_WIDTH)

    def grid(self, lines: Sequence[Line], has_header: bool) -> Table:
        """Return a table of some lines.

        The numbers are one cell: rich takes some 25 µs per cell, and a screen is drawn
        every second.
        """
        grid = new_table(has_header)
        add_labels(grid, self._labels, self._sizes)
        titles = self._joined([self._title(column) for column in self._columns])
        grid.add_column(titles, no_wrap=True, width=min(len(titles), self._room))
        for line in lines:
            cells = [label(line) for _, label in self._labels]
            values = [column.write(line.numbers[column.key]) for column in self._columns]
            style = "bold" if self._is_tree and not line.depth else ""
            grid.add_row(*cells, Text(self._joined(values)), style=style)
        return grid

    def _joined(self, cells: Sequence[str]) -> str:
        sizes = self._columns.values()
        return " ".join(cell.rjust(size) for cell, size in zip(cells, sizes, strict=True))

    def _title(self, column: Column) -> str:
        return "▼" * (column.key == self._sort) + column.title

    def _shown(self, view: View, width: int) -> dict[Column, int]:
        """Return the number columns that fit, with their widths.

        If not all do, blank ones are hidden, and those of what is measured on request always. The
        column that orders the lines is included.
        """
        every, fitting = columns_of(view.query.by), columns_at(view.query.by, self._sort, width)
        sizes = {column: max(_NUMBER_WIDTH, len(self._title(column))) for column in fitting}
        all_fit = len(fitting) == len(every)
        known = {column: all_fit and column.key not in ON_REQUEST for column in fitting}
        for line in view.lines:
            for column in fitting:
                value = line.numbers[column.key]
                known[column] |= not isnan(value)
                sizes[column] = max(sizes[column], len(column.write(value)))
        return {column: size for column, size in sizes.items() if known[column]}


def new_table(has_header: bool, *, expand: bool = False) -> Table:
    """Return an empty table, as wide as its lines need; with `expand`, as the screen."""
    return Table(
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="reverse",
        show_header=has_header,
        expand=expand,
    )


def footnotes(view: HasLines, more: str = SHOW_ALL, empty: str = NO_EXITS) -> list[Text]:
    """Return the lines below a table: that it is empty, hidden lines, sources of names."""
    if not view.lines:
        return [Text(empty, style="dim")]
    hidden = [f"{plural(view.hidden, 'more line')} ({more})"] if view.hidden else []
    notes = [*hidden, *named_by(view.lines)]
    return [Text(note, "dim", no_wrap=True, overflow="ellipsis") for note in notes]
