"""Exits that last long in the kernel, whatever they are for: the thread waits."""

from bpfexit.advice import cpus, remedies, slow, starvation, swap
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.advice.starvation import Cause
from bpfexit.model import numbers

MIN_RATE = 10.0


def select(evidence: Evidence) -> Mask:
    """Return the exits that last long in the kernel, if not by a waiting that is a finding."""
    waits = evidence.has_waiting and starvation.found(evidence) is not None
    return slow.in_kernel(evidence, without_waiting=waits)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name what a thread may wait for; a lack of CPUs if it was measured or is certain."""
    share = cpus.waited(evidence, exits)
    if share < cpus.MOSTLY or starvation.is_excluded(evidence, exits):
        return _asleep(evidence, exits)
    is_measured = share >= cpus.MOSTLY
    lack = cpus.lack(evidence)
    cause = _cause(evidence) if is_measured else Cause.UNKNOWN
    longest = numbers.duration(float(exits.rows["max_ns"].max()))
    return Advice(
        title="Exits last long in the kernel: the vCPU has to wait for a CPU"
        if lack or is_measured
        else "Exits last long in the kernel: the vCPU's thread waits",
        changes=(
            *starvation.changes(evidence, cause),
            remedies.on_host(f"`perf sched timehist -p {evidence.pid} --state` shows each wait"),
        ),
        expect="KVM serves an exit in microseconds; the rest is waiting, which a guest sees as "
        "steal time.",
        confidence=_confidence(lack, is_measured=is_measured),
        rationale="; ".join(
            (*cpus.waiting(evidence, exits), *([lack] if lack else []))
            or ("waiting for a CPU was not measured",)
        ),
        context=(f"the longest took {longest}", *cpus.counts(evidence)),
        candidates=starvation.candidates(evidence, cause) if is_measured else _candidates(evidence),
    )


def _awake(evidence: Evidence, exits: Exits) -> str:
    known = starvation.starvation(evidence)
    measured = cpus.waiting(evidence, exits)
    return "; ".join(measured or ((known.text,) if known else ()))


def _cause(evidence: Evidence) -> Cause:
    starved = starvation.starvation(evidence)
    return Cause.UNKNOWN if starved is None else starved.cause


def _confidence(lack: str, *, is_measured: bool) -> Confidence:
    if is_measured:
        return Confidence.HIGH
    return Confidence.MEDIUM if lack else Confidence.LOW


def _asleep(evidence: Evidence, exits: Exits) -> Advice:
    """Return the advice for exits whose threads did not wait for a CPU most of the time."""
    longest = numbers.duration(float(exits.rows["max_ns"].max()))
    return Advice(
        title="Exits last long in the kernel: the vCPU's thread sleeps in KVM",
        changes=(
            remedies.on_host(f"`perf sched timehist -p {evidence.pid} --state` shows each wait"),
        ),
        expect="KVM serves an exit in microseconds.",
        confidence=Confidence.MEDIUM,
        rationale=_awake(evidence, exits),
        context=(f"the longest took {longest}",),
        candidates=_in_kvm(evidence),
    )


def _candidates(evidence: Evidence) -> tuple[Candidate, ...]:
    return (*starvation.candidates(evidence, Cause.UNKNOWN), *_in_kvm(evidence))


def _in_kvm(evidence: Evidence) -> tuple[Candidate, ...]:
    pid = evidence.pid
    swapped = "" if swap.is_excluded(evidence) else ", or for memory that is swapped out"
    decides = f"off-CPU stacks (`offcputime -p {pid}`)"
    return (
        Candidate(
            f"the exit waits in KVM: for a lock{swapped}",
            f"{decides}; `vmstat 1` (si)" if swapped else decides,
        ),
        Candidate(
            "firmware stops the CPUs (SMI)",
            "`turbostat --show SMI`, or `hwlatdetect`",
        ),
    )


RULE = Rule(
    name="slow-exits",
    looks_for="exits that take 250 µs or more in the kernel on average, or mostly 1 ms and more",
    select=select,
    min_rate=MIN_RATE,
    rationale="1 % of a vCPU's time decides; without times there are no slow exits",
    why="The time between exit and entry passes in the kernel, and not in user space. The vCPU's "
    "thread is not running for most of it: another thread has the CPU, or it sleeps.",
    advise=advise,
    remedy="CPUs for the vCPUs: no quota below their number, fewer vCPUs than CPUs, pinning.",
    limits="Page faults are the rule memory-faults', split locks the rule split-lock's. What the "
    "thread waited for is not recorded.",
    references=(
        "https://docs.kernel.org/scheduler/sched-bwc.html",
        "https://docs.kernel.org/scheduler/sched-stats.html",
        "https://docs.kernel.org/admin-guide/cgroup-v2.html",
    ),
    rank=Rank.SLOW,
)
