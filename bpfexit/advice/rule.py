"""What a rule is: which exits it looks at, from how many on, and what it says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Finding

LEAST_SHARE = 0.01
"""A finding costs a vCPU at least so much of its time, where the time is known: less is not
worth a change of a running guest, and lies within what one run differs from the next."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    `select` says which exits it is about. It is asked for `advise` when, on one
    vCPU at least, those come `per_s` times a second (`because` says why that
    number) and take `least_share` of the time, where time is known. Thresholds
    are those of a vCPU: a guest of 64 is not judged 64 times as strictly.
    `advise` may still find nothing to say. With `rest`, exits that another rule
    looks at are left to that one; a rule that `shares` takes none from those.
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
    rest: bool = False
    shares: bool = False

    def judge(self, evidence: Evidence, mask: Mask) -> Finding | None:
        """Say what there is to say of these exits of a guest."""
        exits = evidence.take(mask)
        if not any(self.is_worth(each) for each in exits.vcpus()):
            return None
        advice = self.advise(evidence, exits)
        if advice is None:
            return None
        lines = evidence.lines(exits)
        return Finding(self.name, advice, self.why, self.references, exits, lines)

    def is_worth(self, exits: Exits) -> bool:
        """Say whether these exits of a vCPU reach the thresholds."""
        cost = exits.cost
        return exits.per_s >= self.per_s and (isnan(cost) or cost >= self.least_share * 1e9)
