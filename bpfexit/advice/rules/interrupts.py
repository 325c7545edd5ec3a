"""Interrupts of the host that hit a running guest."""

from bpfexit.advice import apicv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

REASONS = ("EXTERNAL_INTERRUPT", "interrupt")
PER_S = 4000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise CPUs that have nothing else to do."""
    del exits
    return Advice(
        title="Host interrupts stop the guest very often",
        changes=(
            *apicv.changes(evidence),
            Change(
                Where.HOST, "move device interrupts off these CPUs: /proc/interrupts, irqbalance"
            ),
            Change(
                Where.HOST,
                "pin vCPUs to CPUs with nohz_full= and isolcpus=, if the guest must not be "
                "disturbed",
            ),
        ),
        expect="With posted interrupts, interrupts for the guest need no exit.",
        confidence=Confidence.LOW,
        because="/proc/interrupts tells whether they are ticks, IPIs or device interrupts",
        context=apicv.state(evidence),
    )


RULE = Rule(
    name="interrupts",
    looks_for="exits for external interrupts",
    select=select,
    per_s=PER_S,
    because="a host tick of 1000 Hz and the IPIs of a busy host stay below",
    why="An interrupt that arrives while the guest runs ends its run: the host's tick, an IPI to "
    "wake a vCPU, or a device whose interrupt is handled on this CPU.",
    advise=advise,
    remedy="APICv or AVIC with posted interrupts; interrupts of devices on other CPUs; nohz_full.",
    limits="The interrupt's vector is not recorded.",
    references=(
        "Linux Documentation/admin-guide/kernel-parameters: nohz_full, isolcpus",
        "Linux Documentation/core-api/irq/irq-affinity",
    ),
)
