"""CPUID, executed all the time."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("CPUID", "cpuid")
MIN_RATE = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for CPUID."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to find the program."""
    del exits
    return Advice(
        title="A program in the guest executes CPUID",
        changes=(
            remedies.on_host(f"`perf trace -e kvm:kvm_cpuid -p {evidence.pid}` prints each leaf"),
            remedies.in_guest(
                "find the program with a CPU profile of the guest, and have it call CPUID once"
            ),
            remedies.in_guest("if it serves as a barrier for timing, use LFENCE or RDTSCP"),
        ),
        expect="The exits end with the calls; no host setting avoids them.",
        confidence=Confidence.MEDIUM,
        rationale="the cost is certain; the caller is visible only inside the guest",
    )


RULE = Rule(
    name="cpuid",
    looks_for="CPUID instructions",
    select=select,
    min_rate=MIN_RATE,
    rationale="programs call CPUID at start; a guest that starts many makes hundreds",
    why="CPUID always leaves the guest, on Intel by design and on AMD because KVM intercepts it. "
    "On bare metal the same instruction costs a tenth of that.",
    advise=advise,
    remedy="In the guest: call CPUID once and cache the result; use another barrier.",
    limits="The program is not visible from outside the guest.",
    references=(
        "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html",
    ),
)
