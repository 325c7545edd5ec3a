"""vCPUs that wait for a CPU: a quota stops them, or other threads run on theirs."""

from bpfexit.advice import cpus, starvation
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import LEAST_SHARE, Rank, Rule
from bpfexit.advice.rules.pause import REASONS as SPINNING
from bpfexit.advice.slow import in_kernel, may_wait_unseen
from bpfexit.advice.starvation import Cause, Starvation
from bpfexit.model import numbers
from bpfexit.model.grouping import ADDRESS_FIELDS

_TITLES = {
    Cause.QUOTA: "The vCPUs wait for a CPU: a CPU quota stops them",
    Cause.CROWD: "The vCPUs wait for a CPU: other threads run on theirs",
    Cause.BOTH: "The vCPUs wait for a CPU: a CPU quota stops them, and other threads run on theirs",
    Cause.UNKNOWN: "The vCPUs wait for a CPU",
}


def select(evidence: Evidence) -> Mask:
    """Return the exits that waited for most of their time, if the vCPUs wait in all.

    Those that cost enough without that are other rules', unless the rest may be waiting, too.
    Where waiting is not measured by exit, all that last long there, unless they last longer than
    the vCPUs waited.
    """
    starved = starvation.found(evidence)
    if starved is None:
        return evidence.none
    if evidence.has_waiting:
        return _waited(evidence)
    slow = in_kernel(evidence)
    return slow if evidence.take(slow).cost <= 2 * starved.ns_per_s else evidence.none


def _waited(evidence: Evidence) -> Mask:
    rows = evidence.exits.rows
    if not len(rows):
        return evidence.none
    sums, sum_of = rows.summed_by(("reason", *ADDRESS_FIELDS))
    waits: Mask = (sums["wait_ns"] > 0) & (sums["wait_ns"] >= cpus.MOSTLY * sums["total_ns"])
    most = LEAST_SHARE * evidence.seconds * 1e9 * max(1, len(evidence.vcpus))
    cheap: Mask = sums["total_ns"] - sums["wait_ns"] < most
    mine: Mask = waits[sum_of] & (cheap[sum_of] | may_wait_unseen(evidence))
    return mine & ~evidence.reason(*SPINNING) & ~evidence.idle & ~evidence.unclear


def advise(evidence: Evidence, exits: Exits) -> Advice | None:
    """Tell a quota from other threads, as far as `cpu.stat` of the cgroups says."""
    starved = starvation.found(evidence)
    if starved is None:
        return None
    cause, lack = starved.cause, cpus.lack(evidence)
    return Advice(
        title=_TITLES[cause],
        changes=starvation.changes(evidence, cause),
        expect="The guest sees the waiting as steal time, and as jitter; it ends when each vCPU "
        "gets a CPU as it wakes up.",
        confidence=_confidence(cause, lack),
        rationale="; ".join((starved.text, *_decided(starved), *([lack] if lack else []))),
        context=(*cpus.waiting(evidence, exits), *starvation.context(evidence)),
        candidates=starvation.candidates(evidence, cause),
        waiting=starved.waiting,
    )


def _decided(starved: Starvation) -> tuple[str, ...]:
    if starved.cause is Cause.UNKNOWN:
        return ("whether a CPU quota stopped them was not measured",)
    part = numbers.share(min(1.0, starved.throttled))
    if starved.cause is Cause.CROWD:
        return (f"CPU quotas stopped them for {part}% of that",)
    return (f"CPU quotas stopped them for {part}% of that (cpu.stat)",)


def _confidence(cause: Cause, lack: str) -> Confidence:
    if cause is Cause.UNKNOWN:
        return Confidence.MEDIUM if lack else Confidence.LOW
    return Confidence.HIGH if cause is Cause.QUOTA or lack else Confidence.MEDIUM


RULE = Rule(
    name="cpu-starved",
    looks_for="vCPUs that wait for a CPU",
    select=select,
    min_rate=1.0,
    rationale="a busy host makes any guest wait for some percent",
    why="A vCPU is a thread, and runs when the scheduler gives it a CPU. While another thread has "
    "the CPU, or a cgroup has used up its quota, the guest stands still: its timers are late, and "
    "the holder of a lock lets all others wait.",
    advise=advise,
    remedy="A higher quota, or none; fewer vCPUs than CPUs; pinned vCPUs.",
    limits="Waiting is the run delay of the vCPU threads; cpu.stat of their cgroups has the part "
    "of quotas, added up over CPUs. Which threads had the CPU is not recorded.",
    references=(
        "https://docs.kernel.org/scheduler/sched-stats.html",
        "https://docs.kernel.org/scheduler/sched-bwc.html",
        "https://docs.kernel.org/admin-guide/cgroup-v2.html",
        "https://libvirt.org/formatdomain.html#cpu-tuning",
    ),
    least_share=0.0,
    rank=Rank.WAITING,
    needs_no_exits=True,
    reaches="5 % of a vCPU's time",
)
