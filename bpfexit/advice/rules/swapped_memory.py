"""Memory of the guest that the host has swapped out, and swaps in while the guest waits."""

from bpfexit.advice import cpus, faults, remedies, swap
from bpfexit.advice.apic_page import faults_on_memory
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import LEAST_SHARE, Rank, Rule
from bpfexit.model import numbers

_MOSTLY = 0.5


def select(evidence: Evidence) -> Mask:
    """Return the page faults on memory, if most of their time passes while pages are swapped in."""
    if swap.swapped_in(evidence) is None or not evidence.has_exit_events:
        return evidence.none
    on_memory = faults_on_memory(evidence)
    exits = evidence.take(on_memory)
    waits = cpus.waited(evidence, exits) >= cpus.MOSTLY
    return evidence.none if waits or swap.long_ones(exits).share < _MOSTLY else on_memory


def advise(evidence: Evidence, exits: Exits) -> Advice | None:
    """Advise to give the host memory if the guest's own pages come from swap."""
    found = swap.swapped_in(evidence)
    costs = any(of_vcpu.cost >= LEAST_SHARE * 1e9 for of_vcpu in exits.vcpus())
    if found is None or (evidence.has_exit_events and not costs):
        return None
    long = swap.long_ones(exits)
    is_sure = costs and found.explains(long.per_s)
    return Advice(
        title="The guest's memory is swapped out: its vCPUs wait until it is read",
        changes=(
            remedies.on_host("give the host memory, or its guests less (balloon, fewer guests)"),
            *faults.locked(evidence),
        ),
        expect="A page that is there takes microseconds.",
        confidence=Confidence.HIGH if is_sure else Confidence.MEDIUM,
        rationale=_rationale(long, found, is_sure=is_sure, costs=costs),
        context=(*cpus.waiting(evidence, exits), *found.context, *faults.swap_space(evidence)),
        candidates=() if is_sure else _others(evidence),
    )


def _rationale(ones: swap.LongOnes, found: swap.SwappedIn, *, is_sure: bool, costs: bool) -> str:
    if not costs:
        return "how long the vCPUs waited for the pages is not measured"
    long = f"{numbers.rate(ones.per_s)} faults/s last {numbers.duration(ones.ns)} or longer"
    if is_sure:
        return f"{long}, and as many pages are swapped in"
    own = "" if found.faults is None else ", fewer of which are known to be this guest's"
    return f"{long}; the host swaps in {numbers.rate(found.pages)} pages/s{own}"


def _others(evidence: Evidence) -> tuple[Candidate, ...]:
    return (
        Candidate(
            "the pages that are swapped in are another process's or guest's",
            f"majflt in /proc/{evidence.pid}/stat, and VmSwap in its status, while it is slow",
        ),
        Candidate(
            "the guest's memory is a file's, on a slow disk",
            f"the mappings in /proc/{evidence.pid}/maps",
        ),
    )


RULE = Rule(
    name="swapped-memory",
    looks_for="memory of the guest that is swapped in while it runs",
    select=select,
    min_rate=swap.LEAST_RATE,
    rationale="fewer take less than a percent of a vCPU's time",
    why="The vCPU cannot go on before the page is read: microseconds from compressed memory, "
    "100 µs from a fast disk, milliseconds from a slow one.",
    advise=advise,
    remedy="Memory for the host, smaller guests, locked memory or huge pages, which are never "
    "swapped out.",
    limits="Shared memory (memfd, vhost-user) in swap is not counted for a process: of such a "
    "guest, only the faults are known. The host's counter of pages is that of all processes.",
    references=(
        "https://docs.kernel.org/admin-guide/sysctl/vm.html",
        "https://docs.kernel.org/admin-guide/cgroup-v2.html",
        "https://libvirt.org/formatdomain.html#memory-backing",
    ),
    least_share=0.0,
    rank=Rank.EARLY,
    needs_no_exits=True,
    reaches=f"{swap.LEAST_RATE:.0f} pages per second, and 1 % of a vCPU's time in page faults "
    "where that is measured",
)
