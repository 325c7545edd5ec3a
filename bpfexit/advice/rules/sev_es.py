"""An SEV-ES guest, whose idle time looks like any other exit."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice
from bpfexit.advice.rule import Rank, Rule
from bpfexit.model import numbers

MIN_RATE = 1.0


def select(evidence: Evidence) -> Mask:
    """Return the exits whose purpose only the guest knows."""
    return evidence.unclear


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Report that idle and busy time cannot be distinguished."""
    del exits
    rows = evidence.rows.take(evidence.unclear)
    seconds = evidence.seconds * max(1, len(evidence.vcpus))
    share = numbers.share(float(rows["total_ns"].sum()) / 1e9 / seconds)
    return Advice(
        title=f"SEV-ES: {share}% of the vCPUs' time is in exits whose inner code is not recorded; "
        "HLT is one of them, so idle and busy time cannot be distinguished",
        expected=True,
    )


RULE = Rule(
    name="sev-es",
    looks_for="exits of SEV-ES guests (vmgexit), which are expected",
    select=select,
    min_rate=MIN_RATE,
    rationale="fewer are not worth a line",
    why="An SEV-ES guest asks for an exit by VMGEXIT, HLT included. The code of what it asks for "
    "is in memory that it shares, and in the event kvm_vmgexit_enter.",
    advise=advise,
    remedy="None: only a recording with kvm_vmgexit_enter would distinguish idle from busy.",
    limits="This recording has no inner codes, so nothing is claimed of that time.",
    references=("https://docs.kernel.org/virt/kvm/x86/amd-memory-encryption.html",),
    least_share=0.0,
    rank=Rank.LATER,
)
