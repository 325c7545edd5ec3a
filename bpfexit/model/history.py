"""The last snapshots without their histograms: how lines went over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import nan

from bpfexit.model.at_least import slow_ones
from bpfexit.model.classes import with_classes
from bpfexit.model.grouping import ADDRESS_FIELDS, GroupKey, fields_of
from bpfexit.model.histograms import no_histograms
from bpfexit.model.lines import Groups
from bpfexit.model.rows import Rows
from bpfexit.model.scope import Part
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query

MEMORY = 32 << 20
"""Bytes of snapshots that are kept, roughly."""

INTERVALS = 600
"""Snapshots that are kept at most."""

_KEPT = 8
"""Parts and groupings whose counts a snapshot keeps."""

_RECENT = 32
"""Snapshots that keep the counts of lines: more than the screen has columns for."""

_KEPT_KEYS = 1024
"""Keys whose rates are kept."""


class History:
    """Counts of exits in the last intervals, oldest first."""

    def __init__(self, than_ns: int = 0) -> None:
        """Count only exits that took at least `than_ns`, a bucket's edge; 0: all."""
        self._than_ns = than_ns
        self._past: deque[_Past] = deque()
        self._size = 0
        self._last = 0
        self._known: dict[_Asked, _Rates] = {}

    def put(self, number: int, snapshot: Snapshot) -> None:
        """Add interval `number`: those from there on go, and all others if it is not the next."""
        if number != self._last + 1:
            self._known.clear()
        for _ in range(min(len(self._past), self._last - number + 1)):
            self._size -= self._past.pop().size
        if number > self._last + 1:
            self._past.clear()
            self._size = 0
        self.add(snapshot)
        self._last = number

    def add(self, snapshot: Snapshot) -> None:
        """Add the next snapshot; the oldest ones give way to it."""
        self._last += 1
        self._past.append(_Past(snapshot, self._than_ns))
        self._size += self._past[-1].size
        if len(self._past) > _RECENT:
            self._past[-1 - _RECENT].forget_counts()
        while len(self._past) > INTERVALS or (self._size > MEMORY and len(self._past) > 1):
            self._size -= self._past.popleft().size

    @property
    def seconds(self) -> float:
        """How long all of it lasted."""
        return sum(past.snapshot.duration_s for past in self._past)

    def rates(
        self, part: Part, by: tuple[str, ...], keys: Sequence[GroupKey], intervals: int
    ) -> list[list[float]]:
        """Return exits/s of each key, in a part of the last intervals; nan before the first.

        Those that were returned before are kept: only the intervals since then are looked at.
        """
        past = islice(self._past, max(0, len(self._past) - intervals), None)
        counts = [each.counts(part, by) for each in past]
        if len(self._known) >= _KEPT:
            self._known.clear()
        known = self._known.setdefault((part, by, intervals), {})
        found = []
        for key in keys:
            last, rates = known.pop(key, (-1, []))
            missing = self._last - last
            if missing > len(counts):
                missing, rates = len(counts), [nan] * intervals
            new = (each.rate(key) for each in counts[len(counts) - missing :])
            found.append([*rates, *new][-intervals:])
            known[key] = self._last, found[-1]
        for key in [*islice(known, max(0, len(known) - _KEPT_KEYS))]:
            del known[key]
        return found

    def course(self, part: Part) -> list[float]:
        """Return exits/s of a part in each interval."""
        return [past.rate(part) for past in self._past]


_Asked = tuple[Part, tuple[str, ...], int]
_Rates = dict[GroupKey, tuple[int, list[float]]]
"""The last interval that was looked at for a key, and its rates until then."""


class _Past:
    """A snapshot, and the counts of its groups that were asked for."""

    def __init__(self, snapshot: Snapshot, than_ns: int) -> None:
        fields = (slow_ones(snapshot.rows, than_ns) if than_ns else snapshot.rows).fields
        rows = Rows(fields, no_histograms(len(fields)))
        self.snapshot = replace(snapshot, rows=rows, slow=None)
        self.size = self.snapshot.size
        self._counts: dict[tuple[Part, tuple[str, ...]], _Counts] = {}
        self._rates: dict[Part, float] = {}

    def rate(self, part: Part) -> float:
        """Return exits/s of a part."""
        found = self._rates.get(part)
        if found is None:
            if len(self._rates) >= _KEPT:
                self._rates.clear()
            found = self._rates[part] = self.snapshot.per_second(part.of(self.snapshot).exits)
        return found

    def forget_counts(self) -> None:
        """Keep no counts of groups."""
        self._counts.clear()

    def counts(self, part: Part, by: tuple[str, ...]) -> _Counts:
        """Return the counts of a part's groups."""
        found = self._counts.get((part, by))
        if found is None:
            if len(self._counts) >= _KEPT:
                self._counts.clear()
            found = self._counts[part, by] = _Counts(part.of(self.snapshot), by)
        return found


class _Counts:
    """The exits of the groups of a part of a snapshot."""

    def __init__(self, of: Snapshot, by: tuple[str, ...]) -> None:
        self._of, self._query = of, Query(by)
        self._fields = fields_of(self._query.groups)
        self._seconds = of.duration_s or nan

    @cached_property
    def _groups(self) -> Groups:
        of = self._of
        by_class = "class" in self._query.groups
        return _groups(of, with_classes(of.rows, of.reasons) if by_class else of.rows, self._fields)

    @cached_property
    def _below(self) -> Groups | None:
        """The addresses in the groups, if they are wanted."""
        kinds, rows = self._query.kinds, self._of.rows
        fields = (*self._fields, *ADDRESS_FIELDS)
        return _groups(self._of, rows.chosen(rows.of_kinds(kinds)), fields) if kinds else None

    def rate(self, key: GroupKey) -> float:
        """Return the exits/s of a group, 0 if there are none."""
        below = self._below if key.kind else None
        groups = self._groups if below is None else below
        place = groups.find(key)
        count = 0 if place is None else int(groups.fields["count"][place])
        return count / self._seconds


def _groups(of: Snapshot, rows: Rows, fields: tuple[str, ...]) -> Groups:
    sums = rows.summed_by(fields)[0]
    return Groups(sums.fields, {}, fields, of.vms, of.reasons, _unnamed, sums.hist)


def _unnamed(*about: object) -> None:
    """Name no address: only counts are wanted."""
    del about
