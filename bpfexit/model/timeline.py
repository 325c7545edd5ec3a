"""The rates of a view's lines over time, in a bounded number of bins. Pure.

A bin is as long as the first interval. When the bins do not suffice, each two become one, so
neither the length of a recording nor its intervals need to be known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import about
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query, view

BINS = 256
"""More than a terminal has columns to show; even."""

MOST_LINES = 16384
"""Maximum number of lines; each takes some 3 KB."""

_SHORTEST_S = 1e-3

Floats = NDArray[np.float64]


class Timeline:
    """Exits of each line over time, from the first interval on."""

    def __init__(self, query: Query) -> None:
        self._query = replace(query, limit=0)  # the first lines of intervals differ
        self._start = 0.0
        self._width_s = 0.0
        self._covered = np.zeros(BINS)  # seconds of each bin that intervals cover
        self._counts: dict[GroupKey, Floats] = {}
        self._end_s = 0.0

    @property
    def length_s(self) -> float:
        """Seconds from the start of the first interval to the end of the last."""
        return self._end_s

    def add(self, snapshot: Snapshot) -> None:
        """Spread the exits of an interval over the bins that it covers.

        Raises `BpfexitError` if there are more than `MOST_LINES` lines.
        """
        if not snapshot.duration_s:
            return
        if not self._width_s:
            self._start = snapshot.start
            self._width_s = max(snapshot.duration_s, _SHORTEST_S)
        begin = max(0.0, snapshot.start - self._start)
        end = begin + snapshot.duration_s
        self._end_s = max(self._end_s, end)
        while end > BINS * self._width_s:
            self._widen()
        edges = np.arange(BINS + 1) * self._width_s
        inside = np.clip(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0, None)
        self._covered += inside
        for line in view(snapshot, self._query).lines:
            counts = self._counts_of(about(line))
            counts += inside * (line.numbers["count"] / snapshot.duration_s)

    def _counts_of(self, line: GroupKey) -> Floats:
        counts = self._counts.get(line)
        if counts is None:
            if len(self._counts) >= MOST_LINES:
                raise BpfexitError(
                    f"a timeline has at most {MOST_LINES:,} lines, and here are more: choose some "
                    "of the guests or exits with -p, -v or --reason, or group by less with --by"
                )
            counts = self._counts[line] = np.zeros(BINS)
        return counts

    def rates(self, line: GroupKey, columns: int) -> Floats:
        """Return the exits/s of a line in `columns` equal parts of the time; nan in gaps."""
        counts = self._counts.get(line, np.zeros(BINS))
        with np.errstate(invalid="ignore", divide="ignore"):
            in_parts: Floats = self._parts(counts, columns) / self._parts(self._covered, columns)
        in_parts[~np.isfinite(in_parts)] = np.nan
        return in_parts

    def _parts(self, values: Floats, columns: int) -> Floats:
        """Add up bins to `columns` equal parts of the time; a cut bin is split by length."""
        until = np.concatenate([[0.0], np.cumsum(values)])
        # The exits of the last bin are from before the end, not from its whole length.
        edges = np.minimum(np.arange(BINS + 1) * self._width_s, self._end_s)
        cuts = np.linspace(0.0, self._end_s, columns + 1)
        return np.diff(np.interp(cuts, edges, until))

    def _widen(self) -> None:
        self._width_s *= 2
        self._covered = _halved(self._covered)
        self._counts = {key: _halved(counts) for key, counts in self._counts.items()}


def _halved(values: Floats) -> Floats:
    pairs = values.reshape(-1, 2).sum(axis=1)
    return np.concatenate([pairs, np.zeros(BINS // 2)])
