"""A timeline as a table: the lines of a view, each with its rate over time. No I/O."""

import time
from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.lines import about
from bpfexit.model.timeline import Timeline
from bpfexit.model.view import View
from bpfexit.ui.labels import guests_of, labels, longest, shared_names, shrunk
from bpfexit.ui.sparkline import sparkline
from bpfexit.ui.tables import footnotes

_NARROWEST, _USUAL = 8, 60
"""Columns of a curve: at least, and where lines do not have to fit."""

_LABEL_LIMIT = 32
_SHORTEST_LABEL = 4
_NUMBERS_WIDTH = 18
"""Width of the two rates, in columns."""


def timeline_table(
    view: View, timeline: Timeline, start: float, width: int | None
) -> RenderableType:
    """Return the table for a terminal of `width` columns; `start` is unix time, s.

    Without a width, no name is cut, and the curves have always the same length.
    """
    wanted = labels(view.query, shared_names(guests_of(view.lines)), view.ended)
    sizes, columns = longest(wanted, view.lines), _USUAL
    if width is not None:
        sizes, columns = _fitted(sizes, width - _NUMBERS_WIDTH - len(sizes) - 1)
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
        written = (numbers.rate(rate) for rate in (line.numbers["rate"], peak))
        grid.add_row(*cells, Text(sparkline(rates.tolist())), *map(Text, written))
    return Group(grid, *footnotes(view))


def _fitted(labels: Sequence[int], width: int) -> tuple[list[int], int]:
    """Divide a width: return those of the labels, of these sizes, and that of the curves."""
    sizes = [min(_LABEL_LIMIT, size) for size in labels]
    sizes = shrunk(sizes, width - _NARROWEST, _SHORTEST_LABEL)
    return sizes, max(_NARROWEST, width - sum(sizes))


def _axis(start: float, length_s: float, columns: int) -> Text:
    """Return the times at both ends, as far apart as the width allows."""
    first, last = (
        time.strftime("%H:%M:%S", time.localtime(moment)) for moment in (start, start + length_s)
    )
    return Text(first if columns < 18 else first + last.rjust(columns - len(first)))
