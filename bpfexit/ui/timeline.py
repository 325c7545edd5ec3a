"""A timeline as a table: the lines of a view, each with its rate over time. No I/O."""

import time

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.timeline import Timeline, about
from bpfexit.model.view import View
from bpfexit.ui.labels import labels, longest
from bpfexit.ui.sparkline import sparkline
from bpfexit.ui.tables import footnotes

_NARROWEST = 8
_LABEL_LIMIT = 32
_SHORTEST_LABEL = 4
_NUMBERS_WIDTH = 18
"""Width of the two rates, in columns."""


def timeline_table(view: View, timeline: Timeline, start: float, width: int) -> RenderableType:
    """Return the table for a terminal of `width` columns; `start` is unix time, s."""
    wanted = labels(view, view.ended)
    sizes = [min(_LABEL_LIMIT, size) for size in longest(wanted, view.lines)]
    room = width - _NUMBERS_WIDTH - len(sizes) - 1
    sizes = _fitted(sizes, room - _NARROWEST)
    columns = max(_NARROWEST, room - sum(sizes))
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="reverse")
    for (title, _), size in zip(wanted, sizes, strict=True):
        grid.add_column(title, no_wrap=True, overflow="ellipsis", width=size)
    grid.add_column(_axis(start, timeline.length_s, columns), no_wrap=True, width=columns)
    grid.add_column("per s", justify="right", no_wrap=True, min_width=8)
    grid.add_column("peak", justify="right", no_wrap=True, min_width=8)
    for line in view.lines:
        rates = timeline.rates(about(line), columns)
        known = rates[~np.isnan(rates)]
        peak = float(known.max()) if len(known) else float("nan")
        cells = [label(line) for _, label in wanted]
        written = (numbers.rate(each) for each in (line.numbers["rate"], peak))
        grid.add_row(*cells, Text(sparkline(rates.tolist())), *map(Text, written))
    return Group(grid, *footnotes(view))


def _fitted(sizes: list[int], room: int) -> list[int]:
    """Return the widths of labels, the widest shortened until they fit; numbers never are."""
    fitted = list(sizes)
    while sum(fitted) > room and max(fitted, default=0) > _SHORTEST_LABEL:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _axis(start: float, length_s: float, columns: int) -> Text:
    """Return the times at both ends, as far apart as the width allows."""
    first, last = (
        time.strftime("%H:%M:%S", time.localtime(each)) for each in (start, start + length_s)
    )
    return Text(first if columns < 18 else first + last.rjust(columns - len(first)))
