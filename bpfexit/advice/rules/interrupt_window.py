"""Interrupts that have to wait until the guest can take them."""

from bpfexit.advice import apicv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule

REASONS = ("INTERRUPT_WINDOW", "vintr", "TPR_BELOW_THRESHOLD")
MIN_RATE = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits at which it can."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise APIC virtualization."""
    del exits
    changes = apicv.changes(evidence)
    return Advice(
        title="Interrupts wait until the guest enables them",
        changes=changes,
        expect="With APICv or AVIC, the CPU delivers them itself when the guest is ready.",
        confidence=Confidence.MEDIUM if changes else Confidence.LOW,
        rationale=apicv.rationale(evidence),
        context=apicv.state(evidence),
        candidates=apicv.candidates(evidence),
    )


RULE = Rule(
    name="interrupt-window",
    looks_for="interrupt-window exits",
    select=select,
    min_rate=MIN_RATE,
    rationale="as many as the ticks of a guest at 1000 Hz and some device interrupts would be",
    why="KVM has an interrupt for a guest that has them disabled, so it asks for an exit as soon "
    "as they are enabled, and injects it then: one more exit per interrupt.",
    advise=advise,
    remedy="APICv or AVIC.",
    limits="A guest that disables interrupts for long takes more of these exits.",
    references=apicv.REFERENCES,
)
