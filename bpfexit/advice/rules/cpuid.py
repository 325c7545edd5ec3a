"""CPUID, executed all the time."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

REASONS = ("CPUID", "cpuid")
PER_S = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for CPUID."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to find the program."""
    del evidence, exits
    return Advice(
        title="Something in the guest executes CPUID all the time",
        changes=(
            Change(
                Where.GUEST, "find the program by a CPU profile of the guest, and let it ask once"
            ),
            Change(
                Where.GUEST, "where it serves as a barrier for timing: LFENCE or RDTSCP instead"
            ),
        ),
        expect="The exits end with the calls: no setting of the host can save them.",
        confidence=Confidence.MEDIUM,
        because="the cost is certain; who calls it is known in the guest alone",
    )


RULE = Rule(
    name="cpuid",
    looks_for="CPUID instructions",
    select=select,
    per_s=PER_S,
    because="programs ask as they start; a guest that starts many makes hundreds",
    why="CPUID always leaves the guest, on Intel by design and on AMD because KVM intercepts it. "
    "On bare metal the same program loses a tenth of that.",
    advise=advise,
    remedy="In the guest: ask once and remember; use another barrier.",
    limits="Which program it is cannot be seen from outside.",
    references=("Intel SDM volume 3: Instructions That Cause VM Exits Unconditionally",),
)
