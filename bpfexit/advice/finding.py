"""What a rule says of a guest."""

from dataclasses import dataclass
from enum import StrEnum

from bpfexit.advice.evidence import Exits
from bpfexit.model.view import Line


class Confidence(StrEnum):
    """How sure it is that the change helps."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Where(StrEnum):
    """Where a change is made."""

    LIBVIRT = "libvirt"
    QEMU = "QEMU"
    GUEST = "guest"
    HOST = "host"


@dataclass(frozen=True)
class Change:
    """One thing to change."""

    where: Where
    text: str


@dataclass(frozen=True)
class Advice:
    """What a rule says about the exits it found worth it.

    `context` is what of the guest's and the host's settings it rests on. What is
    `expected` is no fault and asks for no change.
    """

    title: str
    expect: str = ""
    changes: tuple[Change, ...] = ()
    confidence: Confidence = Confidence.HIGH
    because: str = ""
    context: tuple[str, ...] = ()
    expected: bool = False


class CostOf(StrEnum):
    """What the cost of a finding is the time of."""

    EXITS = "exits"
    USER = "user"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One rule's advice for one guest, and the exits it rests on."""

    rule: str
    advice: Advice
    why: str
    references: tuple[str, ...]
    exits: Exits
    lines: tuple[Line, ...]

    @property
    def cost(self) -> float:
        """Time, ns a second; nan where it is not known."""
        return self.exits.cost

    @property
    def cost_of(self) -> CostOf:
        """What that is the time of."""
        if self.exits.is_timed:
            return CostOf.EXITS
        return CostOf.USER if self.exits.rows["user_ns"].any() else CostOf.UNKNOWN
