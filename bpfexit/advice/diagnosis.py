"""A diagnosis: all rules applied to all guests, and where the vCPUs' time went."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import repeat
from math import isnan

from bpfexit.advice.coverage import Remainder, remainder
from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.advice.finding import Change, Confidence, Finding
from bpfexit.advice.gathering import gather
from bpfexit.advice.registry import RULES
from bpfexit.advice.rule import Rank, Rule
from bpfexit.advice.slow import may_wait_unseen, without_waiting
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.time_account import parts_of
from bpfexit.model.usage import GuestUsage

BUSY_SHARE = 0.9
"""Minimum share of time in the guest at which its own work is the answer."""
IDLE_SHARE = 0.9


_SURER = tuple(Confidence)


class Verdict(StrEnum):
    """The verdict of the account of time."""

    BUSY = "busy"
    IDLE = "idle"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class VcpuTime:
    """Where one vCPU's time went, ns. None if unknown.

    `exits` is the time from kvm_exit to kvm_entry of the exits that ended, except in HLT: it
    has no part of its own. Where `wait`, for a CPU, is unknown, the other parts contain it.
    `unclear` may be time in exits or idle time: only the guest knows.
    """

    vcpu: int
    tid: int
    guest: int | None
    exits: int | None
    kvm: int | None
    user: int
    wait: int | None
    idle: int | None
    unclear: int
    seconds: float

    @property
    def total(self) -> float:
        """The total of the shares, ns: the sum of the parts, or the clock's time if unknown."""
        if self.guest is None or self.kvm is None or self.idle is None:
            return self.seconds * 1e9
        return self.guest + self.kvm + self.user + (self.wait or 0) + self.idle + self.unclear


@dataclass(frozen=True)
class GuestDiagnosis:
    """One guest: findings by cost, what is expected, and the unexplained remainder.

    `hints` rest on the command line alone, and are given only without findings.
    """

    vm: str
    guest: Guest
    vcpus: tuple[VcpuTime, ...]
    exits: int
    rate: float
    findings: tuple[Finding, ...]
    expected: tuple[Finding, ...]
    hints: tuple[Finding, ...]
    unexplained: Remainder
    usage: GuestUsage | None = None

    @property
    def cost(self) -> float:
        """The cost of the most expensive finding, ns per second; 0 if no cost is known."""
        return max((f.cost for f in self.findings if not isnan(f.cost)), default=0.0)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the account of time."""
        if any(vcpu.guest is None or vcpu.unclear for vcpu in self.vcpus):
            return Verdict.UNKNOWN
        total = sum(vcpu.total for vcpu in self.vcpus)
        if not total:
            return Verdict.UNKNOWN
        if sum(vcpu.guest or 0 for vcpu in self.vcpus) >= BUSY_SHARE * total:
            return Verdict.BUSY
        if sum(vcpu.idle or 0 for vcpu in self.vcpus) >= IDLE_SHARE * total:
            return Verdict.IDLE
        return Verdict.MIXED


@dataclass(frozen=True)
class Diagnosis:
    """All guests, those with the most expensive finding first."""

    snapshot: Snapshot
    guests: tuple[GuestDiagnosis, ...]


def diagnose(snapshot: Snapshot, rules: Sequence[Rule] = RULES) -> Diagnosis:
    """Diagnose the guests of a snapshot."""
    guests = [_guest(evidence, rules) for evidence in gather(snapshot)]
    guests.sort(key=lambda guest: (-guest.cost, -len(guest.findings), -guest.exits, guest.vm))
    return Diagnosis(snapshot, tuple(guests))


def _guest(evidence: Evidence, rules: Sequence[Rule]) -> GuestDiagnosis:
    all_findings, unexplained = _findings(evidence, rules)
    all_findings.sort(key=_weight)
    findings = _without_repeats(
        [f for f in all_findings if not (f.advice.expected or f.advice.hint)],
    )
    return GuestDiagnosis(
        vm=evidence.vm,
        guest=evidence.guest,
        vcpus=tuple(_times(evidence)),
        exits=evidence.exits.count,
        rate=evidence.exits.rate,
        findings=findings,
        expected=tuple(f for f in all_findings if f.advice.expected),
        hints=() if findings else tuple(f for f in all_findings if f.advice.hint),
        unexplained=unexplained,
        usage=evidence.usage,
    )


def _findings(evidence: Evidence, rules: Sequence[Rule]) -> tuple[list[Finding], Remainder]:
    """Apply all rules in the order of their ranks; no exit is in two findings.

    Returns the findings, and what the rules before the last rank leave unexplained.
    """
    masks = {rule.name: rule.select(evidence) for rule in rules}
    known = evidence.none
    for rule in rules:
        if Rank.WAITING <= rule.rank <= Rank.LATER:
            known |= masks[rule.name]
    explained, findings = evidence.none, []
    dear = _dear(evidence, rules, masks)
    unexplained = None
    for rule in sorted(rules, key=lambda rule: rule.rank):
        if rule.rank is Rank.LAST and unexplained is None:
            unexplained = remainder(evidence, explained)
        mask = masks[rule.name] & ~explained
        mask = mask & ~known if rule.rank is Rank.REST else mask
        mask = mask & ~dear if rule.rank in (Rank.WAITING, Rank.SLOW) else mask
        finding = rule.evaluate(evidence, mask)
        if finding and rule.rank is Rank.LAST and unexplained:
            finding = replace(finding, lines=unexplained.lines or finding.lines)
        if finding:
            explained |= mask
            findings.append(finding)
    return findings, unexplained or remainder(evidence, explained)


def _dear(evidence: Evidence, rules: Sequence[Rule], masks: Mapping[str, Mask]) -> Mask:
    """Return the exits of vCPUs that wait which are worth a finding of what they are for.

    They are worth it without their waiting, and none of the rest may be waiting, too.
    """
    dear = evidence.none
    if not any(masks[rule.name].any() for rule in rules if rule.rank is Rank.WAITING):
        return dear
    clear = ~may_wait_unseen(evidence)
    for rule in rules:
        if rule.rank is Rank.SPECIFIC:
            mine = masks[rule.name] & clear
            dear |= mine & rule.is_worth(without_waiting(evidence, evidence.take(mine)))
    return dear


def _weight(finding: Finding) -> tuple[bool, bool, float, float]:
    """Return the sort key: what makes other advice moot, then by cost, then unknown costs.

    A finding of low confidence counts half, because its change may have no effect; so does idle
    time, because it is not all lost.
    """
    cost = finding.exits.cost if finding.advice.waiting is None else finding.cost
    is_doubtful = finding.is_idle or finding.advice.confidence is Confidence.LOW
    weighed = 0.0 if isnan(cost) else -cost * (0.5 if is_doubtful else 1.0)
    return (not finding.is_first, isnan(cost), weighed, -finding.exits.rate)


def _without_repeats(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Remove changes that a more certain finding gives, and refer to that finding."""
    owners: dict[Change, str] = {}
    for finding in sorted(findings, key=lambda finding: _SURER.index(finding.advice.confidence)):
        for change in finding.advice.changes:
            owners.setdefault(change, finding.rule)
    return tuple(_with_own_changes(finding, owners) for finding in findings)


def _with_own_changes(finding: Finding, owners: dict[Change, str]) -> Finding:
    advice = finding.advice
    own = tuple(change for change in advice.changes if owners[change] == finding.rule)
    if own == advice.changes:
        return finding
    others = dict.fromkeys(owners[change] for change in advice.changes)
    others.pop(finding.rule, None)
    seen = f"the fix of {' and '.join(others)} is one for this, too"
    return replace(finding, advice=replace(advice, changes=own, context=(*advice.context, seen)))


def _times(evidence: Evidence) -> list[VcpuTime]:
    times = map(_time, repeat(evidence), evidence.vcpus[["tid", "vcpu"]].tolist(), _parts(evidence))
    return sorted(times, key=lambda time: (time.vcpu, time.tid))


def _parts(evidence: Evidence) -> Iterator[tuple[int, ...]]:
    yield from parts_of(evidence.vcpus, evidence.rows, evidence.idle).tolist()


def _time(evidence: Evidence, vcpu: tuple[int, int], parts: tuple[int, ...]) -> VcpuTime:
    tid, number = vcpu
    guest, kvm, user, wait, idle = parts
    mine, is_known = evidence.rows["tid"] == tid, evidence.has_exit_events
    unclear = evidence.rows.take(mine & evidence.unclear)
    unclear_ns = int(unclear["total_ns"].sum())
    return VcpuTime(
        vcpu=number,
        tid=tid,
        guest=guest if is_known else None,
        exits=int(evidence.exits.rows.take(mine)["total_ns"].sum()) if is_known else None,
        kvm=max(0, kvm - unclear_ns) if is_known else None,
        user=user,
        wait=wait if evidence.knows_waiting else None,
        idle=idle if is_known and not len(unclear) else None,
        unclear=unclear_ns,
        seconds=evidence.seconds,
    )
