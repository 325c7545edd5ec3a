"""Findings and advice on a guest."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from math import nan

from bpfexit.advice.coverage import busiest
from bpfexit.advice.evidence import Exits
from bpfexit.model.lines import Line


class Confidence(StrEnum):
    """How certain it is that the change helps."""

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
    """What is needed before a change takes effect."""

    NOTHING = ""
    AT_ONCE = "effective at once"
    GUEST_REBOOT = "takes a reboot of the guest"
    GUEST_START = "takes a full stop and start of the guest"
    NEW_SERVER = "takes a new or rebuilt server: its properties are copied when it is created"
    MODULE = "takes a reload of the module while no guest runs"
    HOST_REBOOT = "takes a reboot of the host"


@dataclass(frozen=True)
class Change:
    """One change.

    `keep` is the file and line that make a change of the host survive a reboot, `since` the
    versions that have the option.
    """

    where: Where
    text: str
    takes: Takes = Takes.NOTHING
    keep: str = ""
    since: str = ""

    @property
    def note(self) -> str:
        """What it takes, whether it lasts, and from which version on it exists."""
        lasts = f"until the host reboots; to keep it: {self.keep}" if self.keep else ""
        since = f"since {self.since}" if self.since else ""
        return "; ".join(part for part in (self.takes.value, lasts, since) if part)


@dataclass(frozen=True)
class Candidate:
    """A cause that the data does not exclude, and what would decide."""

    cause: str
    decided_by: str


@dataclass(frozen=True)
class Waiting:
    """A cost that is not that of exits: waiting for a CPU, ns per second of all vCPUs.

    `share` is that of the time of `who`, the vCPU that waits most.
    """

    ns_per_s: float
    share: float
    who: str


@dataclass(frozen=True)
class Advice:
    """A rule's advice on the exits that reach its threshold.

    `context` has the settings of guest and host that it rests on. `cause` is more specific than the
    rule's own. What is `expected` is not a fault and needs no change; a `hint` rests on the
    configuration alone. With `waiting`, that is the cost, of which exits show a part.
    """

    title: str
    expect: str = ""
    changes: tuple[Change, ...] = ()
    confidence: Confidence = Confidence.HIGH
    rationale: str = ""
    context: tuple[str, ...] = ()
    cause: str = ""
    candidates: tuple[Candidate, ...] = ()
    expected: bool = False
    hint: bool = False
    waiting: Waiting | None = None


class CostOf(StrEnum):
    """What kind of time the cost of a finding is."""

    EXITS = "exits"
    USER = "user"
    IDLE = "idle"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One rule's advice for one guest, and the exits that it rests on.

    `is_idle`: the guest waits in these exits, so their time is not a cost. `is_first`: it makes
    other advice moot, whatever it costs.
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
        """Time, ns per second; nan if unknown, and for idle time."""
        if self.advice.waiting:
            return self.advice.waiting.ns_per_s
        return nan if self.is_idle else self.exits.cost

    @cached_property
    def worst(self) -> Exits:
        """The exits of the vCPU that suffers most from them."""
        return busiest(self.exits)

    @property
    def share(self) -> float:
        """The share of that vCPU's time; nan if the cost is unknown."""
        if self.advice.waiting:
            return self.advice.waiting.share
        return nan if self.is_idle else self.worst.cost / 1e9

    @property
    def cost_of(self) -> CostOf:
        """What kind of time the cost is."""
        if self.advice.waiting:
            return CostOf.WAITING
        if self.is_idle:
            return CostOf.IDLE
        if self.exits.is_timed:
            return CostOf.EXITS
        return CostOf.USER if self.exits.rows["user_ns"].any() else CostOf.UNKNOWN
