"""Exits that no finding explains: expensive ones are always reported."""

from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.events.kind import NO_KIND
from bpfexit.model.grouping import ADDRESS_FIELDS
from bpfexit.model.lines import Line
from bpfexit.model.rows import NO_VCPU, Rows
from bpfexit.model.structs import copied

MOST_UNEXPLAINED = 0.05
"""Minimum share of a vCPU's time at which the unexplained part is a finding."""
LEAST_LINE = 0.01
"""Minimum share of a vCPU's time at which a reason, address or vector is named."""
UNTIMED_RATE = 1000.0
"""Minimum rate at which it is named if the time is unknown."""

SHARE = "share"
"""The key of a line's share of the time of the vCPU with most of it."""

_KEY = ("isa", "reason", *ADDRESS_FIELDS)


@dataclass(frozen=True)
class Remainder:
    """The unexplained part: its share on the busiest vCPU, and the lines worth naming.

    The numbers of a line are those of the vCPU with most of it; `share` among them is nan if the
    time is unknown. `share` is nan without any time.
    """

    share: float
    lines: tuple[Line, ...]


def remainder(evidence: Evidence, explained: Mask) -> Remainder:
    """Return the remainder when these rows are explained."""
    exits = evidence.take(~(explained | evidence.idle | evidence.unclear))
    if not len(exits.rows) or not evidence.seconds:
        return Remainder(0.0 if evidence.seconds else nan, ())
    cost = busiest(exits).cost
    return Remainder(nan if isnan(cost) else cost / 1e9, _named(evidence, exits))


def busiest(exits: Exits) -> Exits:
    """Return the exits of the vCPU that suffers most from them."""
    return max(exits.vcpus(), key=weight, default=exits)


def weight(exits: Exits) -> tuple[float, float]:
    """Return the sort key of exits: their time, then their rate."""
    return (-1.0 if isnan(exits.cost) else exits.cost, exits.rate)


def vcpu_name(exits: Exits) -> str:
    """Return the name of the vCPU of these exits."""
    if not len(exits.rows):
        return "a vCPU"
    vcpu, tid = int(exits.rows["vcpu"][0]), int(exits.rows["tid"][0])
    return f"tid {tid}" if vcpu == NO_VCPU else f"vCPU {vcpu}"


def _named(evidence: Evidence, exits: Exits) -> tuple[Line, ...]:
    """Return the addresses worth naming, and the reasons without one that are worth it."""
    lines = _worth(evidence, exits.rows)
    seen = {line.reason for line in lines}
    of_reasons = (
        line for line in _worth(evidence, _without_addresses(exits.rows)) if line.reason not in seen
    )
    candidates = (*lines, *of_reasons)
    return tuple(sorted(candidates, key=_line_weight, reverse=True))


def _line_weight(line: Line) -> tuple[float, float]:
    share = line.numbers[SHARE]
    return (-1.0 if isnan(share) else share, line.numbers["rate"])


def _worth(evidence: Evidence, rows: Rows) -> list[Line]:
    worst = Exits(_of_worst_vcpus(rows), evidence.seconds)
    shared = []
    for line in evidence.lines(worst):
        time, rate = line.numbers["time"], line.numbers["rate"]
        share = time / (evidence.seconds * 1e9)
        if rate >= UNTIMED_RATE if isnan(share) else share >= LEAST_LINE:
            shared.append(replace(line, numbers={**line.numbers, SHARE: share}))
    return shared


def _of_worst_vcpus(rows: Rows) -> Rows:
    """Return, for each reason and address, the exits of the vCPU with most time or exits in it."""
    sums, _ = rows.summed_by(("tid", *_KEY))
    _, sum_of = sums.summed_by(_KEY)
    order = np.lexsort((sums["count"], sums["total_ns"], sum_of))
    last: NDArray[np.bool_] = np.append(np.diff(sum_of[order]) > 0, True)
    return sums.take(order[last])


def _without_addresses(rows: Rows) -> Rows:
    fields = copied(rows.fields)
    fields["kind"], fields["address"], fields["access"] = NO_KIND, 0, 0
    return Rows(fields, rows.hist)
