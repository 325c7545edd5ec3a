"""A list of lines: names, numbers and small graphics in columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from bpfexit.model.at_least import NOT_OF_SLOW_EXITS
from bpfexit.model.column import Column
from bpfexit.model.columns import never_known
from bpfexit.model.dearest import dearest
from bpfexit.model.grouping import GroupKey
from bpfexit.model.histogram import LOWER_NS, Counts
from bpfexit.model.history import History
from bpfexit.model.lines import Line, about
from bpfexit.model.scope import Part
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import keep_ends
from bpfexit.model.view import Query, ordered
from bpfexit.ui.labels import labels, named_by, reason_or_address, shared_names
from bpfexit.ui.screen.body import Segments
from bpfexit.ui.screen.cells import PLAIN
from bpfexit.ui.screen.heat import heat
from bpfexit.ui.screen.layout import (
    DEAREST,
    HISTOGRAM,
    TREND,
    Extra,
    Layout,
    layout,
    numbers_for,
)
from bpfexit.ui.sparkline import sparkline

_HEADING = Style(reverse=True)
_SELECTED = Style(reverse=True)
_BOLD = Style(bold=True)
_NAME = Style(color="cyan")

_FIRST_BIT = 6
_CELL_OF_BUCKET = np.clip(
    (np.log2(np.maximum(LOWER_NS, 1)).astype(int) - _FIRST_BIT) // 2, 0, HISTOGRAM.most - 1
)
"""The place of each bucket in the small histogram: factors of 4 from 64 ns on."""


@dataclass(frozen=True)
class Look:
    """What a list shows beside its lines: their part of the snapshots, and the columns."""

    part: Part
    history: History
    width: int
    columns: tuple[str, ...] = ()


class Listing:
    """The lines of one snapshot, grouped and sorted; a `Body`."""

    selects = True

    def __init__(self, snapshot: Snapshot, query: Query, look: Look) -> None:
        """Group the snapshot, which has been cut to the part that is shown."""
        self._snapshot, self._query, self._look = snapshot, query, look
        self._ordered = ordered(snapshot, query)
        self._lines = self._ordered.lines()
        known = [(snapshot.vms[vm], pid) for vm, pid in snapshot.vcpus[["vm", "pid"]].tolist()]
        known += [(guest.name, guest.pid) for guest in snapshot.without_vcpus]
        wanted = labels(query, shared_names(known), snapshot.ended)
        # One guest has its name in the path.
        self._labels = wanted[1:] if look.part.scope.is_guest and len(wanted) > 1 else wanted
        self._is_tree = bool(query.groups and query.kinds)
        origin = snapshot.origin
        blank = never_known(
            has_exit_events=origin.has_exit_events,
            has_waiting=origin.has_waiting,
            has_usage=bool(snapshot.usage.guests),
            has_blocked=origin.has_blocked,
            has_polling=origin.has_polling,
        )
        if query.than_ns:
            blank |= frozenset(NOT_OF_SLOW_EXITS)
        self._numbers = numbers_for(query.by, look.columns, blank, query.sort, look.width)

    @property
    def sorts(self) -> tuple[str, ...]:
        """The columns that can sort the lines, in the order of the screen."""
        return ("name", *(column.key for column in self._numbers))

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, position: int) -> Line | None:
        """Return what a line is about."""
        return self._lines[position]

    def find(self, key: GroupKey) -> int | None:
        """Return the line that is about something; None if it is gone."""
        return self._ordered.find(key)

    def opened_by(self, position: int) -> tuple[str, ...]:
        """Return the grouping that a line is from."""
        del position
        return self._query.by

    def note(self, first: int, rows: int) -> str:
        """Return where the names in these lines come from."""
        return "; ".join(named_by(self._lines[first : first + rows]))

    def draw(self, first: int, rows: int, selected: int | None) -> Iterator[Segments]:
        """Yield the heading and at most `rows` lines, from line `first` on."""
        lines = list(self._lines[first : first + rows])
        numbers = [
            [column.write(line.numbers.get(column.key, nan)) for column in self._numbers]
            for line in lines
        ]
        names = [[label(line) for _, label in self._labels] for line in lines]
        placed = self._layout(names, numbers)
        extras = [self._extra(extra, size, first, lines) for extra, size in placed.extras]
        yield [Segment(self._heading(placed), _HEADING)]
        for at, line in enumerate(lines):
            segments = self._names(line, names[at], placed.labels)
            segments += self._values(line, numbers[at], placed)
            segments += [Segment(" " + texts[at]) for texts in extras]
            yield segments if first + at != selected else _selected(segments, self._look.width)

    def _layout(self, names: Sequence[Sequence[Text]], numbers: Sequence[Sequence[str]]) -> Layout:
        sizes = [cell_len(title) for title, _ in self._labels]
        for texts in names:
            sizes = [max(size, text.cell_len) for size, text in zip(sizes, texts, strict=True)]
        columns = [
            (
                column,
                max(column.width, len(self._title(column)), *(len(row[at]) for row in numbers)),
            )
            for at, column in enumerate(self._numbers)
        ]
        return layout(sizes, columns, self._extras, self._look.width)

    @property
    def _extras(self) -> tuple[Extra, ...]:
        graphs = (TREND, HISTOGRAM) if self._snapshot.origin.has_exit_events else (TREND,)
        own = (DEAREST, *graphs) if self._finds_dearest else graphs
        wanted = self._look.columns
        return tuple(extra for extra in own if not wanted or extra.key in wanted)

    @property
    def _finds_dearest(self) -> bool:
        return not self._query.kinds and "reason" not in self._query.by

    def _heading(self, placed: Layout) -> str:
        titles = [title for title, _ in self._labels]
        cells = [_cut(title, size) for title, size in zip(titles, placed.labels, strict=True)]
        cells += [self._title(column).rjust(size) for column, size in placed.columns]
        cells += [_extra_title(extra, size) for extra, size in placed.extras]
        return " ".join(cells).ljust(self._look.width)

    def _title(self, column: Column) -> str:
        return "▼" * (column.key == self._query.sort) + column.title

    def _names(self, line: Line, texts: Sequence[Text], sizes: Sequence[int]) -> list[Segment]:
        style = _BOLD if self._is_tree and not line.depth else PLAIN
        segments: list[Segment] = []
        for text, size in zip(texts, sizes, strict=True):
            plain, start = text.plain, min((span.start for span in text.spans), default=None)
            if text.cell_len > size:
                segments.append(Segment(_cut(plain, size), style))
            elif start is not None:
                segments += [Segment(plain[:start], style), Segment(plain[start:], _NAME)]
                segments.append(Segment(" " * (size - text.cell_len)))
            else:
                segments.append(Segment(plain + " " * (size - text.cell_len), style))
            segments.append(Segment(" "))
        return segments[:-1]

    def _values(self, line: Line, values: Sequence[str], placed: Layout) -> list[Segment]:
        tops = _BOLD if self._is_tree and not line.depth else PLAIN
        found, plain = [], ""
        for (column, size), value in zip(placed.columns, values, strict=False):
            style = heat(column.key, line.numbers.get(column.key, nan)) or tops
            plain += " " * (size + 1 - len(value))
            if style is PLAIN:
                plain += value
            else:
                found += [Segment(plain), Segment(value, style)]
                plain = ""
        return [*found, Segment(plain)]

    def _extra(self, extra: Extra, size: int, first: int, lines: Sequence[Line]) -> list[str]:
        """Return the cells of a column that is not a number."""
        if extra is TREND:
            keys, look = [about(line) for line in lines], self._look
            rates = look.history.rates(look.part, self._query.by, keys, size)
            return [sparkline(each).ljust(size) for each in rates]
        if extra is HISTOGRAM:
            return [small_histogram(self._ordered.counts(first + at)) for at in range(len(lines))]
        return [_cut(self._dearest_of(line), size) for line in lines]

    def _dearest_of(self, line: Line) -> str:
        found = self._find_dearest(line)
        return reason_or_address(found).plain if found else ""

    @cached_property
    def _find_dearest(self) -> Callable[[GroupKey], GroupKey | None]:
        return dearest(self._snapshot, self._query.by, self._query.than_ns)


def small_histogram(counts: Counts) -> str:
    """Return a histogram of latencies in a few characters; blanks where there are none."""
    cells = np.bincount(_CELL_OF_BUCKET, counts, HISTOGRAM.most)
    return sparkline(np.where(cells > 0, cells, np.nan).tolist())


def _selected(segments: Sequence[Segment], width: int) -> Segments:
    text = "".join(segment.text for segment in segments)
    return [Segment(text + " " * max(0, width - cell_len(text)), _SELECTED)]


def _cut(text: str, size: int) -> str:
    """Return a text of exactly that width; a longer one loses its middle."""
    shown = keep_ends(text, size, cell_len)
    return shown + " " * (size - cell_len(shown))


def _extra_title(extra: Extra, size: int) -> str:
    title = {DEAREST: "dearest exit", HISTOGRAM: "64ns" + "17s".rjust(size - 4)}
    return title.get(extra, extra.key)[:size].ljust(size)
