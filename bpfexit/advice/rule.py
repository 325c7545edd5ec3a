"""A rule: the exits that it is about, its threshold, and its advice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from math import isnan

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Finding
from bpfexit.model import numbers

LEAST_SHARE = 0.01
"""Minimum share of a vCPU's time for a finding, if the time is known.

Less is not worth a change of a running guest, and two runs differ by as much.
"""

SLOW_USER_NS = 250_000
"""A device model answers an access in 2 to 20 µs; ten times that is waiting."""


class Rank(IntEnum):
    """In which order rules take their exits: no exit is in two findings.

    FIRST: a cause that makes other advice moot. WAITING: they wait for a CPU, whatever they are
    for. SLOW: they last long, whatever they are for. EARLY: one cause of exits for several things:
    APIC virtualization is inhibited. SPECIFIC: what they are for. LATER: what the findings before
    have left. REST: exits that no specific rule looks at. LAST: whatever no finding has explained.
    """

    FIRST = 0
    WAITING = 1
    SLOW = 2
    EARLY = 3
    SPECIFIC = 4
    LATER = 5
    REST = 6
    LAST = 7


@dataclass(frozen=True)
class Rule:
    """One rule.

    `select` returns the exits that it is about. `advise` is called if, on one vCPU at least, they
    take `least_share` of the time or, if the time is unknown, reach `min_rate` per second
    (`rationale` explains that number). Thresholds are per vCPU, so the size of a guest does not
    matter. `advise` may return None. A rule with `least_share` 0 is about the rate alone; one that
    `needs_no_exits` is about the configuration, or has a threshold of its own (`reaches`).
    """

    name: str
    looks_for: str
    select: Callable[[Evidence], Mask]
    min_rate: float
    rationale: str
    why: str
    advise: Callable[[Evidence, Exits], Advice | None]
    remedy: str
    limits: str
    references: tuple[str, ...]
    least_share: float = LEAST_SHARE
    rank: Rank = Rank.SPECIFIC
    needs_no_exits: bool = False
    reaches: str | None = None

    def evaluate(self, evidence: Evidence, mask: Mask) -> Finding | None:
        """Return the finding about these exits of a guest; None if there is none."""
        exits = evidence.take(mask)
        if not (self.is_worth(exits) or (self.needs_no_exits and evidence.seconds)):
            return None
        advice = self.advise(evidence, exits)
        if advice is None:
            return None
        if exits.user_mean_ns >= SLOW_USER_NS:
            advice = replace(advice, context=(*advice.context, _slow(exits)))
        is_idle = bool(mask.any()) and not (mask & ~evidence.idle).any()
        shown = evidence.halts if is_idle else exits
        return Finding(
            rule=self.name,
            advice=advice,
            why=self.why,
            references=vmm.references(evidence.guest, self.references),
            exits=shown,
            lines=evidence.lines(shown),
            is_idle=is_idle,
            is_first=self.rank is Rank.FIRST,
        )

    def is_worth(self, exits: Exits) -> bool:
        """Return whether these exits reach the threshold on one vCPU at least."""
        return any(map(self._is_reached, exits.vcpus()))

    def _is_reached(self, exits: Exits) -> bool:
        cost = exits.cost
        if isnan(cost) or not self.least_share:
            return exits.rate >= self.min_rate
        return cost >= self.least_share * 1e9


def _slow(exits: Exits) -> str:
    there = numbers.duration(exits.user_mean_ns)
    return f"user space takes {there} each: a device model needs 2 to 20µs, the rest is waiting"


def threshold(rule: Rule) -> str:
    """Return the threshold of a rule in words."""
    rate = f"{numbers.count(rule.min_rate)} per second"
    if rule.needs_no_exits:
        return rule.reaches or "none"
    if not rule.least_share:
        return f"{rate} on one vCPU"
    return f"{rule.least_share:.0%} of a vCPU's time; {rate} if the time is unknown"
