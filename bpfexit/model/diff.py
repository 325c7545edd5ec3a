"""Two snapshots, before and after a change, compared line by line.

Processes and threads have other numbers in the next run, so guests are matched by
name, vCPUs by name and number, and everything is a rate, since runs last
differently long. Guests without a name count as one; so do namesakes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.model.address_names import AddressName, AddressNames, joined_name
from bpfexit.model.grouping import (
    ADDRESS_FIELDS,
    GroupKey,
    Naming,
    fields_of,
    group_key,
    measures,
    with_names,
)
from bpfexit.model.rank_test import FEWEST, Verdict, rank_sum, verdict
from bpfexit.model.rows import Rows, joined, no_rows
from bpfexit.model.snapshot import Snapshot, idle_rows, times, with_common_names
from bpfexit.model.view import Query, wanted_rows

NAMELESS = "pid:*"
"""Stands for every guest that has no name but its process (`pid:4711`)."""

_PROCESS = re.compile(r"pid:[0-9]+(?:#[0-9]+)?")
_FLEETING = ("pid", "tid", "isa")
"""What does not last from one run to the next, or follows from the rest."""


_NUMBERS = ("rate", "time", "mean", "p50", "p99", "user", "user_mean")
"""The numbers of `Side`, in its order."""


class Status(Enum):
    """What became of a line."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class Side:
    """One line before, or after; nan: not known. A line that is not there has rate and time 0.

    rate: exits/s; time: ns a second, from exit to entry (in user space, where
    the comparison is one of that); mean, p50, p99: latency of an exit, ns; user:
    share of the exits that went to user space; user_mean: how long those were
    there, ns.
    """

    count: int
    rate: float
    time: float
    mean: float
    p50: float
    p99: float
    user: float
    user_mean: float


@dataclass(frozen=True)
class Latency:
    """What the rank test says: `larger` is the probability that an exit after takes longer.

    `p` is that of this line alone; `Verdict` has the number of lines in it.
    """

    verdict: Verdict
    larger: float
    p: float


@dataclass(frozen=True)
class Line(GroupKey):
    """One line of a comparison.

    `saved` is the time, ns a second, that it takes less after (negative: more).
    The ratios are after to before: of the rates, and of the means (those in user
    space, where the comparison is one of that).
    """

    status: Status
    before: Side
    after: Side
    saved: float
    rate_ratio: float
    mean_ratio: float
    latency: Latency


@dataclass(frozen=True)
class Diff:
    """The comparison: lines by time saved or lost, and how many more the limit leaves out.

    `userspace`: a back end emits no exits, so time is what user space took.
    """

    query: Query
    before: Snapshot
    after: Snapshot
    userspace: bool
    lines: list[Line]
    hidden: int
    is_same: bool  # no line, hidden ones neither, differs in anything

    @property
    def differing(self) -> tuple[str, ...]:
        """What of the two origins differs, so that more than the guest may have changed."""
        a, b = self.before.origin, self.after.origin
        names = ("host", "kernel", "backend")
        return tuple(name for name in names if getattr(a, name) != getattr(b, name))

    @property
    def saved(self) -> float:
        """Time saved by all exits together, ns a second; HLT is in none."""
        return self.time(self.before) - self.time(self.after)

    def time(self, snapshot: Snapshot) -> float:
        """Return the time in exits, or in user space, ns a second."""
        vcpu_times = times(snapshot)
        return per_second(
            vcpu_times.user if self.userspace else vcpu_times.exits, snapshot.duration_s
        )


def per_second(amount: float, seconds: float) -> float:
    """Return a rate; nan of no time at all."""
    return amount / seconds if seconds else nan


def times_per_second(snapshot: Snapshot) -> dict[str, float]:
    """Return where the vCPUs' time went, ns a second."""
    vcpu_times = times(snapshot)
    return {name: per_second(ns, snapshot.duration_s) for name, ns in vars(vcpu_times).items()}


def compare(before: Snapshot, after: Snapshot, query: Query) -> Diff:
    """Compare two snapshots by the query's dimensions; its order has no say.

    Lines are ordered by time saved or lost, an address below its group; a group
    stands where the largest of its lines would.
    """
    userspace = not (before.origin.has_exit_events and after.origin.has_exit_events)
    named = with_common_names([_lasting(before), _lasting(after)])
    parts = _parts(named[0], named[1], query, userspace)
    tests = sum(part.tests for part in parts)
    lines = _ordered([line for part in parts for line in part.lines(tests)])
    limit = query.limit or len(lines)
    hidden = max(0, len(lines) - limit)
    is_same = all(line.status is Status.SAME for line in lines)
    shown = with_names(lines[:limit], _naming(*named))
    return Diff(query, before, after, userspace, shown, hidden, is_same)


def _naming(before: Snapshot, after: Snapshot) -> Naming:
    """Name an address as both sides do, each by the guests that were there."""
    sides = AddressNames(before), AddressNames(after)

    def name(kind: Kind, address: int, vm: str | None, pid: int | None) -> AddressName | None:
        return joined_name(side.name(kind, address, vm, pid) for side in sides)

    return name


def _lasting(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without names that hold a process's number."""
    vms = (NAMELESS if _PROCESS.fullmatch(name) else name for name in snapshot.vms)
    return replace(snapshot, vms=tuple(vms))


def _parts(before: Snapshot, after: Snapshot, query: Query, userspace: bool) -> list[_Part]:
    """Return the groups, and the addresses in them, of both sides; whichever are asked for."""
    fields = tuple(name for name in fields_of(query.groups) if name not in _FLEETING)
    rows = wanted_rows(before, query), wanted_rows(after, query)
    parts = []
    if query.groups:
        parts.append(_Part.of(before, after, rows, fields, 0, userspace))
    if query.kinds:
        rows_there = _of_kinds(rows[0], query), _of_kinds(rows[1], query)
        depth = 1 if query.groups else 0
        names = (*fields, *ADDRESS_FIELDS)
        parts.append(_Part.of(before, after, rows_there, names, depth, userspace))
    return parts


def _of_kinds(rows: Rows, query: Query) -> Rows:
    return rows.take(rows.of_kinds(query.kinds))


@dataclass(frozen=True)
class _Part:
    """Sums of both sides by the same fields, place by place; one without exits is zeros."""

    about: list[GroupKey]
    before: Rows
    after: Rows
    idle: NDArray[np.bool_]
    seconds: tuple[float, float]
    userspace: bool

    @classmethod
    def of(
        cls,
        before: Snapshot,
        after: Snapshot,
        rows: tuple[Rows, Rows],
        fields: Sequence[str],
        depth: int,
        userspace: bool,
    ) -> _Part:
        """Add up and match the rows of two snapshots that have common names."""
        sums = [side.summed_by(fields)[0] for side in rows]
        both, place = joined(sums).summed_by(fields)
        cut = len(sums[0])
        vms, reasons = before.vms, before.reasons
        idle = idle_rows(both, reasons) if "reason" in fields else np.zeros(len(both), bool)
        return cls(
            about=[group_key(row, fields, depth, vms, reasons) for row in both.fields],
            before=_placed(sums[0], place[:cut], len(both)),
            after=_placed(sums[1], place[cut:], len(both)),
            idle=idle,
            seconds=(before.duration_s, after.duration_s),
            userspace=userspace,
        )

    @property
    def tests(self) -> int:
        """Of how many lines the latencies can be compared."""
        enough = np.minimum(self.before["timed"], self.after["timed"]) >= FEWEST
        return int((enough & ~self.idle).sum())

    def lines(self, tests: int) -> Iterable[Line]:
        """Yield the lines, of `tests` comparisons in all."""
        sides = zip(
            _sides(self.before, self.seconds[0], self.idle, self.userspace),
            _sides(self.after, self.seconds[1], self.idle, self.userspace),
            self._latencies(tests),
            strict=True,
        )
        for about, (before, after, latency) in zip(self.about, sides, strict=True):
            yield self._line(about, before, after, latency)

    def _line(self, about: GroupKey, before: Side, after: Side, latency: Latency) -> Line:
        mean = "user_mean" if self.userspace else "mean"
        return Line(
            **vars(about),
            status=_status(before, after),
            before=before,
            after=after,
            saved=before.time - after.time,
            rate_ratio=_ratio(before.rate, after.rate),
            mean_ratio=_ratio(getattr(before, mean), getattr(after, mean)),
            latency=latency,
        )

    def _latencies(self, tests: int) -> Iterable[Latency]:
        larger: list[float] = []
        p: list[float] = []
        for before, after in zip(self.before.blocks(), self.after.blocks(), strict=True):
            columns = rank_sum(before.hist.dense(), after.hist.dense())
            larger += columns[0].tolist()
            p += columns[1].tolist()
        timed = [np.where(self.idle, 0, rows["timed"]) for rows in (self.before, self.after)]
        for at, counts in enumerate(zip(*(column.tolist() for column in timed), strict=True)):
            means = (_mean(rows, at) for rows in (self.before, self.after))
            outcome = verdict(counts, larger[at], p[at], _ratio(*means), tests)
            known = outcome is not Verdict.UNKNOWN
            yield Latency(outcome, larger[at] if known else nan, p[at] if known else nan)


def _mean(sums: Rows, at: int) -> float:
    """Return the mean latency of one sum, ns, which is exact."""
    timed = int(sums["timed"][at])
    return int(sums["total_ns"][at]) / timed if timed else nan


def _placed(sums: Rows, place: NDArray[np.intp], n: int) -> Rows:
    fields = no_rows(n).fields
    fields[place] = sums.fields
    return Rows(fields, sums.hist.summed(place, n))


def _sides(sums: Rows, seconds: float, idle: NDArray[np.bool_], userspace: bool) -> Iterable[Side]:
    """Yield each line's numbers; of idle time only the rate."""
    numbers = measures(sums, seconds)
    time = sums["user_ns"].astype(float) if userspace else numbers["time"]
    with np.errstate(over="ignore"):
        numbers["time"] = np.where(sums["count"] > 0, time, 0.0) / (seconds or nan)
    for name in ("time", "mean", "p50", "p99", "user", "user_mean"):
        numbers[name] = np.where(idle, nan, numbers[name])
    columns = [numbers[name].tolist() for name in _NUMBERS]
    for count, *values in zip(sums["count"].tolist(), *columns, strict=True):
        yield Side(count, *values)


def _status(before: Side, after: Side) -> Status:
    if not before.count:
        return Status.APPEARED
    if not after.count:
        return Status.VANISHED
    pairs = zip(vars(before).values(), vars(after).values(), strict=True)
    same = all(x == y or (isnan(x) and isnan(y)) for x, y in pairs)
    return Status.SAME if same else Status.CHANGED


def _ratio(before: float, after: float) -> float:
    """Return after to before; nan where there is nothing to compare with, or nothing known."""
    return after / before if before else nan


def _weight(line: Line) -> tuple[float, float]:
    """Return what a line is ordered by: time saved or lost, then how much the rate changed."""
    rates = abs(line.before.rate - line.after.rate)
    return (-1.0 if isnan(line.saved) else abs(line.saved), 0.0 if isnan(rates) else rates)


def _ordered(lines: list[Line]) -> list[Line]:
    """Put each address below its group, and what matters most first."""
    below: dict[object, list[Line]] = defaultdict(list)
    for line in lines:
        if line.depth:
            below[_group(line)].append(line)
    for each in below.values():
        each.sort(key=_weight, reverse=True)
    tops = [(line, below[_group(line)]) for line in lines if not line.depth]
    tops.sort(key=lambda top: max(map(_weight, [top[0], *top[1]])), reverse=True)
    return [line for top, under in tops for line in (top, *under)]


def _group(line: Line) -> object:
    return (line.vm, line.vcpu, line.reason)
