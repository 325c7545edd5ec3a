"""What a rule is: which exits it looks at, from how many on, and what it says of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from math import isnan

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Finding
from bpfexit.model import numbers

LEAST_SHARE = 0.01
"""A finding costs a vCPU at least so much of its time, where the time is known: less is not
worth a change of a running guest, and lies within what one run differs from the next."""

SLOW_USER_NS = 250_000
"""An access that a device model answers takes 2 to 20 µs: ten times that is waiting."""


class Rank(IntEnum):
    """In which order rules take their exits: no exit is in two findings.

    FIRST: a cause that makes other advice moot. EARLY: one cause of exits for several things:
    they last long, or APIC virtualization is inhibited. SPECIFIC: what they are for. LATER:
    what the findings before have left. REST: exits that no specific rule looks at. LAST:
    whatever no finding has explained.
    """

    FIRST = 0
    EARLY = 1
    SPECIFIC = 2
    LATER = 3
    REST = 4
    LAST = 5


@dataclass(frozen=True)
class Rule:
    """One rule.

    `select` says which exits it is about. It is asked for `advise` when, on one vCPU at
    least, those take `least_share` of the time, or, where the time is not known, come
    `per_s` times a second (`because` says why that number). Thresholds are those of a
    vCPU: a guest of 64 is not judged 64 times as strictly. `advise` may still find nothing
    to say. A rule with `least_share` 0 is about the rate alone; one that `needs_no_exits`
    speaks of the configuration.
    """

    name: str
    looks_for: str
    select: Callable[[Evidence], Mask]
    per_s: float
    because: str
    why: str
    advise: Callable[[Evidence, Exits], Advice | None]
    remedy: str
    limits: str
    references: tuple[str, ...]
    least_share: float = LEAST_SHARE
    rank: Rank = Rank.SPECIFIC
    needs_no_exits: bool = False

    def judge(self, evidence: Evidence, mask: Mask) -> Finding | None:
        """Say what there is to say of these exits of a guest."""
        exits = evidence.take(mask)
        is_worth = any(self.is_worth(each) for each in exits.vcpus())
        if not (is_worth or (self.needs_no_exits and evidence.seconds)):
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
        """Say whether these exits of a vCPU reach the thresholds."""
        cost = exits.cost
        if isnan(cost) or not self.least_share:
            return exits.per_s >= self.per_s
        return cost >= self.least_share * 1e9


def _slow(exits: Exits) -> str:
    there = numbers.duration(exits.user_mean_ns)
    return f"user space takes {there} each: a device model needs 2 to 20µs, the rest is waiting"


def threshold(rule: Rule) -> str:
    """Return from when on a rule speaks, in words."""
    rate = f"{numbers.count(rule.per_s)} per second"
    if rule.needs_no_exits:
        return "none"
    if not rule.least_share:
        return f"{rate} on one vCPU"
    return f"{rule.least_share:.0%} of a vCPU's time; {rate} where the time is unknown"
