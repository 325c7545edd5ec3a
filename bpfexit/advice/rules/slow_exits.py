"""Exits that last long in the kernel, whatever they are for: the thread waits."""

from bpfexit.advice import cpus, remedies, slow
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.model import numbers

PER_S = 10.0


def select(evidence: Evidence) -> Mask:
    """Return the exits that last long in the kernel."""
    return slow.in_kernel(evidence)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name what a thread may wait for; a lack of CPUs only where it is certain."""
    lack = cpus.lack(evidence)
    longest = numbers.duration(float(exits.rows["max_ns"].max()))
    return Advice(
        title="Exits last long in the kernel: the vCPU has to wait for a CPU"
        if lack
        else "Exits last long in the kernel: the vCPU's thread waits",
        changes=(
            *((remedies.on_host(_more_cpus(evidence)),) if lack else ()),
            remedies.on_host(f"`perf sched timehist -p {evidence.pid} --state` shows each wait"),
        ),
        expect="KVM serves an exit in microseconds; the rest is waiting, which a guest sees as "
        "steal time.",
        confidence=Confidence.MEDIUM if lack else Confidence.LOW,
        because=lack or "waiting for a CPU was not measured in this recording",
        context=(f"the longest took {longest}", *cpus.said(evidence)),
        candidates=_candidates(evidence),
    )


def _more_cpus(evidence: Evidence) -> str:
    if evidence.guest.cpu_quota and len(evidence.vcpus) > evidence.guest.cpu_quota:
        return "a higher CPU quota of the guest's cgroup (cpu.max), or fewer vCPUs"
    return "fewer vCPUs, or guests, than the host has CPUs; or pinned vCPUs"


def _candidates(evidence: Evidence) -> tuple[Candidate, ...]:
    pid, quota = evidence.pid, evidence.guest.cpu_quota
    throttled = Candidate(
        "the guest's cgroup uses up its CPU quota",
        "nr_throttled and throttled_usec in cpu.stat of its cgroup",
    )
    return (
        *(() if quota == 0 else (throttled,)),
        Candidate(
            "other threads, or guests, run on the vCPU's CPU",
            f"the second field of /proc/{pid}/task/*/schedstat grows by as much",
        ),
        Candidate(
            "the exit waits in KVM: for a lock, or for memory that is swapped out",
            f"off-CPU stacks (`offcputime -p {pid}`); `vmstat 1` (si)",
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
    per_s=PER_S,
    because="a cost of a hundredth of a vCPU decides; without times there are no slow exits",
    why="The time between exit and entry passes in the kernel, and not in user space. The vCPU's "
    "thread is not running for most of it: something else has the CPU, or it sleeps.",
    advise=advise,
    remedy="CPUs for the vCPUs: no quota below their number, fewer vCPUs than CPUs, pinning.",
    limits="Page faults are the rule memory-faults', split locks the rule split-lock's. What the "
    "thread waited for is not recorded.",
    references=(
        "https://docs.kernel.org/scheduler/sched-bwc.html",
        "https://docs.kernel.org/scheduler/sched-stats.html",
        "https://docs.kernel.org/admin-guide/cgroup-v2.html",
    ),
    rank=Rank.EARLY,
)
