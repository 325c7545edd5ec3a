"""A diagnosis: all rules over all guests, and where the vCPUs' time went."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isnan

from bpfexit.advice.coverage import Remainder, remainder
from bpfexit.advice.evidence import Evidence, gather
from bpfexit.advice.finding import Change, Confidence, Finding
from bpfexit.advice.registry import RULES
from bpfexit.advice.rule import Rank, Rule
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

BUSY_SHARE = 0.9
"""From this share of the time in the guest on, its own work is the answer."""
IDLE_SHARE = 0.9


_SURER = tuple(Confidence)


class Verdict(StrEnum):
    """What the account of time says by itself."""

    BUSY = "busy"
    IDLE = "idle"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class VcpuTime:
    """Where one vCPU's time went, ns; `user` is part of `exits`. None: not known.

    `unclear` is time that may be in exits or idle: nobody but the guest knows.
    """

    vcpu: int
    tid: int
    guest: int | None
    exits: int | None
    user: int
    idle: int | None
    unclear: int
    seconds: float

    @property
    def total(self) -> float:
        """What the parts are shares of, ns: their sum, or the clock's where they are not known."""
        if self.guest is None or self.exits is None or self.idle is None:
            return self.seconds * 1e9
        return self.guest + self.exits + self.idle + self.unclear


@dataclass(frozen=True)
class GuestDiagnosis:
    """One guest: findings by cost, what was expected, and what is left without a finding.

    `hints` rest on the command line alone, and are there only without findings.
    """

    vm: str
    guest: Guest
    vcpus: tuple[VcpuTime, ...]
    exits: int
    per_s: float
    findings: tuple[Finding, ...]
    expected: tuple[Finding, ...]
    hints: tuple[Finding, ...]
    unexplained: Remainder

    @property
    def cost(self) -> float:
        """The cost of the dearest finding, ns a second; 0 without one whose cost is known."""
        return max((f.cost for f in self.findings if not isnan(f.cost)), default=0.0)

    @property
    def verdict(self) -> Verdict:
        """What the account of time says."""
        if any(each.guest is None or each.unclear for each in self.vcpus):
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
    found, unexplained = _findings(evidence, rules)
    found.sort(key=_weight)
    findings = _without_repeats(
        [f for f in found if not (f.advice.expected or f.advice.hint)],
    )
    return GuestDiagnosis(
        vm=evidence.vm,
        guest=evidence.guest,
        vcpus=tuple(_times(evidence)),
        exits=evidence.exits.count,
        per_s=evidence.exits.per_s,
        findings=findings,
        expected=tuple(f for f in found if f.advice.expected),
        hints=() if findings else tuple(f for f in found if f.advice.hint),
        unexplained=unexplained,
    )


def _findings(evidence: Evidence, rules: Sequence[Rule]) -> tuple[list[Finding], Remainder]:
    """Judge by all rules, in the order of their ranks: no exit is in two findings.

    Returns the findings, and what those of the rules that are about something leave.
    """
    masks = {rule.name: rule.select(evidence) for rule in rules}
    known = evidence.none
    for rule in rules:
        if rule.rank in (Rank.EARLY, Rank.SPECIFIC, Rank.LATER):
            known |= masks[rule.name]
    explained, found = evidence.none, []
    unexplained = None
    for rule in sorted(rules, key=lambda rule: rule.rank):
        if rule.rank is Rank.LAST and unexplained is None:
            unexplained = remainder(evidence, explained)
        mask = masks[rule.name] & ~explained
        mask = mask & ~known if rule.rank is Rank.REST else mask
        finding = rule.judge(evidence, mask)
        if finding and rule.rank is Rank.LAST and unexplained:
            finding = replace(finding, lines=unexplained.lines or finding.lines)
        if finding:
            explained |= mask
            found.append(finding)
    return found, unexplained or remainder(evidence, explained)


def _weight(finding: Finding) -> tuple[bool, bool, float, float]:
    """Put first what makes other advice moot, then the dearest, then those of unknown cost.

    A finding of low confidence counts half, since its change may well be of no use, and so
    does one of idle time, which is not all lost.
    """
    cost = finding.exits.cost
    is_doubtful = finding.is_idle or finding.advice.confidence is Confidence.LOW
    weighed = 0.0 if isnan(cost) else -cost * (0.5 if is_doubtful else 1.0)
    return (not finding.is_first, isnan(cost), weighed, -finding.exits.per_s)


def _without_repeats(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Take changes out of findings that a surer one gives, and say which does."""
    owners: dict[Change, str] = {}
    for finding in sorted(findings, key=lambda each: _SURER.index(each.advice.confidence)):
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
    known = evidence.has_exit_events
    tids, spent = evidence.rows["tid"], evidence.exits
    found = []
    for _, _, tid, vcpu, guest_ns in sorted(evidence.vcpus.tolist(), key=lambda v: (v[3], v[2])):
        mine = spent.rows.take(tids == tid)
        idle = evidence.rows.take((tids == tid) & evidence.idle)
        unclear = evidence.rows.take((tids == tid) & evidence.unclear)
        found.append(
            VcpuTime(
                vcpu=vcpu,
                tid=tid,
                guest=guest_ns if known else None,
                exits=int(mine["total_ns"].sum()) if known else None,
                user=int(mine["user_ns"].sum()),
                idle=int(idle["total_ns"].sum()) if known and not len(unclear) else None,
                unclear=int(unclear["total_ns"].sum()),
                seconds=evidence.seconds,
            )
        )
    return found
