"""What a rule says of a guest."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import nan

from bpfexit.advice.coverage import busiest
from bpfexit.advice.evidence import Exits
from bpfexit.model.lines import Line


class Confidence(StrEnum):
    """How sure it is that the change helps."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Where(StrEnum):
    """Where a change is made."""

    LIBVIRT = "libvirt"
    QEMU = "QEMU"
    PROXMOX = "Proxmox"
    OPENSTACK = "OpenStack"
    KUBEVIRT = "KubeVirt"
    CLOUD_HYPERVISOR = "Cloud Hypervisor"
    FIRECRACKER = "Firecracker"
    CROSVM = "crosvm"
    GUEST = "guest"
    HOST = "host"


class Takes(StrEnum):
    """What has to happen before a change has an effect."""

    NOTHING = ""
    AT_ONCE = "effective at once"
    GUEST_REBOOT = "takes a reboot of the guest"
    GUEST_START = "takes a full stop and start of the guest"
    MODULE = "takes a reload of the module while no guest runs"
    HOST_REBOOT = "takes a reboot of the host"


@dataclass(frozen=True)
class Change:
    """One thing to change.

    `keep` is the file, and its line, that makes a change of the host survive a reboot;
    `since` the versions that have the option.
    """

    where: Where
    text: str
    takes: Takes = Takes.NOTHING
    keep: str = ""
    since: str = ""

    @property
    def note(self) -> str:
        """What it takes, whether it lasts, and from which versions on."""
        lasts = f"until the host reboots; to keep it: {self.keep}" if self.keep else ""
        since = f"since {self.since}" if self.since else ""
        return "; ".join(part for part in (self.takes.value, lasts, since) if part)


@dataclass(frozen=True)
class Candidate:
    """A cause that the data does not exclude, and what would prove or exclude it."""

    cause: str
    decided_by: str


@dataclass(frozen=True)
class Advice:
    """What a rule says about the exits it found worth it.

    `context` is what of the guest's and the host's settings it rests on. `cause` says more
    than the rule's own. What is `expected` is no fault and asks for no change; a `hint`
    rests on the configuration alone.
    """

    title: str
    expect: str = ""
    changes: tuple[Change, ...] = ()
    confidence: Confidence = Confidence.HIGH
    because: str = ""
    context: tuple[str, ...] = ()
    cause: str = ""
    candidates: tuple[Candidate, ...] = ()
    expected: bool = False
    hint: bool = False


class CostOf(StrEnum):
    """What the cost of a finding is the time of."""

    EXITS = "exits"
    USER = "user"
    IDLE = "idle"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One rule's advice for one guest, and the exits it rests on.

    `is_idle`: the exits are those in which the guest waits, so their time is not a cost.
    `is_first`: it makes other advice moot, whatever it costs.
    """

    rule: str
    advice: Advice
    why: str
    references: tuple[str, ...]
    exits: Exits
    lines: Sequence[Line]
    is_idle: bool = False
    is_first: bool = False

    @property
    def cost(self) -> float:
        """Time, ns a second; nan where it is not known, and for idle time."""
        return nan if self.is_idle else self.exits.cost

    @cached_property
    def worst(self) -> Exits:
        """Those of the vCPU that suffers most; all of them where there are none."""
        return busiest(self.exits)

    @property
    def share(self) -> float:
        """The share of that vCPU's time; nan where the cost is not known."""
        return nan if self.is_idle else self.worst.cost / 1e9

    @property
    def cost_of(self) -> CostOf:
        """What that is the time of."""
        if self.is_idle:
            return CostOf.IDLE
        if self.exits.is_timed:
            return CostOf.EXITS
        return CostOf.USER if self.exits.rows["user_ns"].any() else CostOf.UNKNOWN
