"""RDTSC and RDTSCP, which leave the guest."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("RDTSC", "RDTSCP", "rdtsc", "rdtscp")
MIN_RATE = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name what makes KVM intercept them."""
    del evidence, exits
    return Advice(
        title="Reading the TSC leaves the guest",
        changes=(
            remedies.on_host("run an unpatched kvm module, if `modinfo kvm` shows another one"),
            remedies.in_guest("let programs read the system clock, not the TSC, in loops"),
        ),
        expect="The TSC is read without an exit.",
        confidence=Confidence.LOW,
        rationale="mainline KVM lets a guest read its TSC, also where it has to emulate another "
        "frequency; it intercepts these instructions for inner guests alone",
        candidates=(
            Candidate(
                "a kvm module patched to hide the hypervisor from timing checks",
                "`modinfo kvm` (filename, signer), and the package that it is from",
            ),
            Candidate(
                "an inner hypervisor intercepts them for its own guests",
                "whether VMRESUME or vmrun exits, too: `bpfexit top --by reason`",
            ),
        ),
    )


RULE = Rule(
    name="rdtsc",
    looks_for="RDTSC and RDTSCP instructions that exit",
    select=select,
    min_rate=MIN_RATE,
    rationale="KVM lets guests read the TSC directly; any exit is unusual",
    why="KVM offsets and scales the TSC by hardware, so reading it needs no exit. If it exits, "
    "every timestamp of the guest costs a microsecond instead of nanoseconds.",
    advise=advise,
    remedy="An unpatched KVM; inner guests on the host itself.",
    limits="Why KVM intercepts them is not recorded.",
    references=("https://docs.kernel.org/virt/kvm/x86/timekeeping.html",),
)
