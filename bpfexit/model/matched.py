"""Groups of rows of two snapshots, matched: the numbers of a comparison's lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.grouping import GroupKey, Naming, group_key, measures
from bpfexit.model.histograms import Histograms, no_histograms
from bpfexit.model.rank_test import FEWEST, Verdict, rank_sum, verdict
from bpfexit.model.rows import Rows, joined
from bpfexit.model.snapshot import Snapshot, idle_rows

_NUMBERS = ("rate", "time", "mean", "p50", "p99", "user", "user_mean")
"""The numbers of `Side`, in its order."""

Floats = NDArray[np.float64]


class Status(Enum):
    """What became of a line."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class Side:
    """One line before, or after; nan if unknown. An absent line has rate and time 0.

    rate: exits/s; time: ns per second, from exit to entry (in user space if a back end emits no
    exits); mean, p50, p99: latency, ns; user: share of exits that went to user space; user_mean:
    mean time there, ns.
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
    """The result of the rank test.

    `larger` is the probability that an exit after takes longer than one before. `p` is that of this
    line alone; the verdict takes the number of lines into account.
    """

    verdict: Verdict
    larger: float
    p: float


@dataclass(frozen=True)
class Line(GroupKey):
    """One line of a comparison.

    `saved` is the time saved, ns per second (negative: lost). The ratios are after to before, of
    the rates and of the means (of those in user space if a back end emits no exits).
    """

    status: Status
    before: Side
    after: Side
    saved: float
    rate_ratio: float
    mean_ratio: float
    latency: Latency


@dataclass(frozen=True)
class _Columns:
    """The numbers of `Side` by group, shape (n,), and how many exits have a latency.

    A group that this side lacks has no exits and no time.
    """

    count: NDArray[np.uint64]
    timed: NDArray[np.uint64]
    numbers: dict[str, Floats]

    @classmethod
    def of(
        cls,
        sums: Rows,
        group_of: NDArray[np.intp],
        idle: NDArray[np.bool_],
        seconds: float,
        userspace: bool,
    ) -> _Columns:
        """Return the numbers of sums at the indexes of their groups; of idle time only the rate."""
        columns = measures(sums, seconds, has_waiting=False)
        time = sums["user_ns"].astype(float) if userspace else columns["time"]
        with np.errstate(over="ignore"):
            columns["time"] = np.where(sums["count"] > 0, time, 0.0) / (seconds or nan)
        absent = dict.fromkeys(("rate", "time"), 0.0 / (seconds or nan))
        numbers = {
            name: _spread(columns[name], group_of, len(idle), absent.get(name, nan))
            for name in _NUMBERS
        }
        for name in _NUMBERS:
            if name != "rate":
                numbers[name][idle] = nan
        count, timed = (_spread(sums[name], group_of, len(idle), 0) for name in ("count", "timed"))
        timed[idle] = 0
        return cls(count, timed, numbers)

    def side(self, index: int) -> Side:
        """Return the numbers of one group."""
        return Side(
            int(self.count[index]), *(float(self.numbers[name][index]) for name in _NUMBERS)
        )


@dataclass(frozen=True)
class Matched:
    """Groups of both sides by the same fields; those of `rows`, dtype `FIELDS`, shape (n,)."""

    rows: NDArray[Any]
    by: Sequence[str]
    depth: int
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    before: _Columns
    after: _Columns
    larger: Floats
    p: Floats
    userspace: bool

    @classmethod
    def of(
        cls,
        snapshots: tuple[Snapshot, Snapshot],
        rows: tuple[Rows, Rows],
        by: Sequence[str],
        depth: int,
        userspace: bool,
    ) -> Matched:
        """Add up and match the rows of two snapshots that have common names."""
        sums = [side.summed_by(by)[0] for side in rows]
        both, group_of = joined([_bare(side) for side in sums]).summed_by(by)
        cut, vms, reasons = len(sums[0]), snapshots[0].vms, snapshots[0].reasons
        idle = idle_rows(both, reasons) if "reason" in by else np.zeros(len(both), bool)
        groups_of = group_of[:cut], group_of[cut:]
        before, after = (
            _Columns.of(side, group_indexes, idle, snapshot.duration_s, userspace)
            for side, group_indexes, snapshot in zip(sums, groups_of, snapshots, strict=True)
        )
        larger, p = _rank_sums(
            [
                side.hist.at(group_indexes, len(both))
                for side, group_indexes in zip(sums, groups_of, strict=True)
            ]
        )
        return cls(both.fields, by, depth, vms, reasons, before, after, larger, p, userspace)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tests(self) -> int:
        """The number of groups whose latencies can be compared."""
        return int((np.minimum(self.before.timed, self.after.timed) >= FEWEST).sum())

    @property
    def is_same(self) -> bool:
        """Whether all groups are equal."""
        numbers = ((self.before.numbers[name], self.after.numbers[name]) for name in _NUMBERS)
        same = [np.array_equal(x, y, equal_nan=True) for x, y in numbers]
        return all(same) and np.array_equal(self.before.count, self.after.count)

    @property
    def weights(self) -> tuple[Floats, Floats]:
        """The weight of each line: time saved or lost (-1 if unknown), then the change of rate."""
        before, after = self.before.numbers, self.after.numbers
        with np.errstate(invalid="ignore"):
            time, rate = (np.abs(before[name] - after[name]) for name in ("time", "rate"))
        return np.where(np.isnan(time), -1.0, time), np.nan_to_num(rate)

    def line(self, index: int, tests: int, naming: Naming) -> Line:
        """Return the line of one group, of `tests` comparisons in all."""
        before, after = self.before.side(index), self.after.side(index)
        mean = "user_mean" if self.userspace else "mean"
        about = group_key(self.rows[index], self.by, self.depth, self.vms, self.reasons, naming)
        return Line(
            **vars(about),
            status=_status(before, after),
            before=before,
            after=after,
            saved=before.time - after.time,
            rate_ratio=_ratio(before.rate, after.rate),
            mean_ratio=_ratio(getattr(before, mean), getattr(after, mean)),
            latency=self._latency(index, tests, _ratio(before.mean, after.mean)),
        )

    def _latency(self, index: int, tests: int, mean_ratio: float) -> Latency:
        timed = int(self.before.timed[index]), int(self.after.timed[index])
        larger, p = float(self.larger[index]), float(self.p[index])
        outcome = verdict(timed, larger, p, mean_ratio, tests)
        known = outcome is not Verdict.UNKNOWN
        return Latency(outcome, larger if known else nan, p if known else nan)


def _bare(rows: Rows) -> Rows:
    return Rows(rows.fields, no_histograms(len(rows)))


def _spread(
    values: NDArray[Any], group_of: NDArray[np.intp], n: int, absent: float
) -> NDArray[Any]:
    """Return `n` values: these at their indexes, and `absent` elsewhere."""
    spread = np.full(n, absent, values.dtype)
    spread[group_of] = values
    return spread


def _rank_sums(sides: Sequence[Histograms]) -> tuple[Floats, Floats]:
    """Compare the latencies group by group, see `rank_sum`."""
    blocks = [np.empty((2, 0))]
    for before, after in zip(*(side.blocks() for side in sides), strict=True):
        blocks.append(np.stack(rank_sum(before.dense(), after.dense())))
    larger, p = np.concatenate(blocks, axis=1)
    return larger, p


def _status(before: Side, after: Side) -> Status:
    if not before.count:
        return Status.APPEARED
    if not after.count:
        return Status.VANISHED
    pairs = zip(vars(before).values(), vars(after).values(), strict=True)
    same = all(x == y or (isnan(x) and isnan(y)) for x, y in pairs)
    return Status.SAME if same else Status.CHANGED


def _ratio(before: float, after: float) -> float:
    """Return the ratio of after to before; nan if before is 0 or either is unknown."""
    return after / before if before else nan
