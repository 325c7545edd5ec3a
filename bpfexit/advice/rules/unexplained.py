"""Time that no other rule knows: named, so that nothing expensive is silent."""

from bpfexit.advice import coverage, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rank, Rule


def select(evidence: Evidence) -> Mask:
    """Return everything in which the guest does not wait; what is explained is taken already."""
    return ~(evidence.idle | evidence.unclear)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name them, and say where to look."""
    del exits
    return Advice(
        title="No rule knows more about these exits",
        changes=(
            remedies.in_guest("a CPU profile of the guest shows what it executes there"),
            remedies.on_host(
                f"`perf trace -e kvm:kvm_exit -p {evidence.pid}` prints the qualification and the "
                "vector of each (info1, intr_info)"
            ),
        ),
        expect="The cost ends with the exits.",
        confidence=Confidence.LOW,
        rationale="no rule is about these exits",
    )


RULE = Rule(
    name="unexplained",
    looks_for="time in exits that no other finding explains",
    select=select,
    min_rate=coverage.UNTIMED_RATE,
    rationale="at some 10 µs each they cost a hundredth of a vCPU",
    why="These exits take a vCPU's time, and no rule is about them.",
    advise=advise,
    remedy="None is known; the reason's name and the CPU's manual explain what the guest does.",
    limits="Below 5 % of a vCPU in all, reasons above 1 % are listed without a finding.",
    references=(
        "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html",
        "https://docs.kernel.org/virt/kvm/x86/index.html",
    ),
    least_share=coverage.MOST_UNEXPLAINED,
    rank=Rank.LAST,
)
