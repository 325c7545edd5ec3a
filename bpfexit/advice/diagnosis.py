"""A diagnosis: all rules over all guests, and where the vCPUs' time went."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan

from bpfexit.advice.evidence import Evidence, gather
from bpfexit.advice.finding import Finding
from bpfexit.advice.registry import RULES
from bpfexit.advice.rule import Rule
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

BUSY_SHARE = 0.9
"""From this share of the time in the guest on, its own work is the answer."""
IDLE_SHARE = 0.9


class Verdict(StrEnum):
    """What the account of time says by itself."""

    BUSY = "busy"
    IDLE = "idle"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class VcpuTime:
    """Where one vCPU's time went, ns; `user` is part of `exits`. None: not known."""

    vcpu: int
    tid: int
    guest: int | None
    exits: int | None
    user: int
    idle: int | None
    seconds: float

    @property
    def total(self) -> float:
        """What the parts are shares of, ns: their sum, or the clock's where they are not known."""
        if self.guest is None or self.exits is None or self.idle is None:
            return self.seconds * 1e9
        return self.guest + self.exits + self.idle


@dataclass(frozen=True)
class GuestDiagnosis:
    """One guest: findings by cost, then what was expected."""

    vm: str
    guest: Guest
    vcpus: tuple[VcpuTime, ...]
    exits: int
    per_s: float
    findings: tuple[Finding, ...]
    expected: tuple[Finding, ...]

    @property
    def cost(self) -> float:
        """The cost of the dearest finding, ns a second; 0 without one whose cost is known."""
        return max((f.cost for f in self.findings if not isnan(f.cost)), default=0.0)

    @property
    def verdict(self) -> Verdict:
        """What the account of time says."""
        if any(each.guest is None for each in self.vcpus):
            return Verdict.UNKNOWN
        total = sum(each.total for each in self.vcpus)
        if not total:
            return Verdict.UNKNOWN
        if sum(each.guest or 0 for each in self.vcpus) >= BUSY_SHARE * total:
            return Verdict.BUSY
        if sum(each.idle or 0 for each in self.vcpus) >= IDLE_SHARE * total:
            return Verdict.IDLE
        return Verdict.MIXED


@dataclass(frozen=True)
class Diagnosis:
    """All guests, those with the dearest finding first."""

    snapshot: Snapshot
    guests: tuple[GuestDiagnosis, ...]


def diagnose(snapshot: Snapshot, rules: Sequence[Rule] = RULES) -> Diagnosis:
    """Judge a snapshot."""
    guests = [_guest(evidence, rules) for evidence in gather(snapshot)]
    guests.sort(key=lambda each: (-each.cost, -len(each.findings), -each.exits, each.vm))
    return Diagnosis(snapshot, tuple(guests))


def _guest(evidence: Evidence, rules: Sequence[Rule]) -> GuestDiagnosis:
    found = sorted(_findings(evidence, rules), key=_weight)
    return GuestDiagnosis(
        vm=evidence.vm,
        guest=evidence.guest,
        vcpus=tuple(_times(evidence)),
        exits=evidence.exits.count,
        per_s=evidence.exits.per_s,
        findings=tuple(each for each in found if not each.advice.expected),
        expected=tuple(each for each in found if each.advice.expected),
    )


def _findings(evidence: Evidence, rules: Sequence[Rule]) -> list[Finding]:
    masks = [rule.select(evidence) for rule in rules]
    claimed = evidence.none
    for rule, mask in zip(rules, masks, strict=True):
        if not rule.rest and not rule.shares:
            claimed |= mask
    judged = (
        rule.judge(evidence, mask & ~claimed if rule.rest else mask)
        for rule, mask in zip(rules, masks, strict=True)
    )
    return [finding for finding in judged if finding is not None]


def _weight(finding: Finding) -> tuple[bool, float, float]:
    """Dearest first; then, by rate, those whose cost nobody knows: it may be any."""
    unknown = isnan(finding.cost)
    return (unknown, 0.0 if unknown else -finding.cost, -finding.exits.per_s)


def _times(evidence: Evidence) -> list[VcpuTime]:
    known = evidence.has_exit_events
    tids, spent = evidence.rows["tid"], evidence.exits
    found = []
    for _, _, tid, vcpu, guest_ns in sorted(evidence.vcpus.tolist(), key=lambda v: (v[3], v[2])):
        mine = spent.rows.take(tids == tid)
        idle = evidence.rows.take((tids == tid) & evidence.idle)
        found.append(
            VcpuTime(
                vcpu=vcpu,
                tid=tid,
                guest=guest_ns if known else None,
                exits=int(mine["total_ns"].sum()) if known else None,
                user=int(mine["user_ns"].sum()),
                idle=int(idle["total_ns"].sum()) if known else None,
                seconds=evidence.seconds,
            )
        )
    return found
