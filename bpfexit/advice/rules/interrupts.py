"""Interrupts of the host that hit a running guest."""

from bpfexit.advice import apicv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Confidence
from bpfexit.advice.rule import Rank, Rule

REASONS = ("EXTERNAL_INTERRUPT", "interrupt")
MIN_RATE = 4000.0
_CANDIDATES = (
    Candidate("the host's tick and timers, the guest's own among them", "LOC in /proc/interrupts"),
    Candidate("IPIs: wake-ups of vCPUs, posted interrupts", "RES, CAL and PIN in /proc/interrupts"),
    Candidate("devices whose interrupts these CPUs handle", "their lines in /proc/interrupts"),
)


def select(evidence: Evidence) -> Mask:
    """Return the exits for them."""
    return evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise CPUs without other work."""
    del exits
    return Advice(
        title="Host interrupts stop the guest",
        changes=(
            *apicv.changes(evidence),
            remedies.on_host("move device interrupts off these CPUs: /proc/interrupts, irqbalance"),
            remedies.boot("nohz_full=CPUS isolcpus=CPUS, with the vCPUs pinned there,"),
        ),
        expect="With posted interrupts, interrupts for the guest need no exit.",
        confidence=Confidence.LOW,
        rationale="their vectors are not recorded",
        context=apicv.state(evidence),
        candidates=(*apicv.candidates(evidence), *_CANDIDATES),
    )


RULE = Rule(
    name="interrupts",
    looks_for="exits for external interrupts",
    select=select,
    min_rate=MIN_RATE,
    rationale="a host tick of 1000 Hz and the IPIs of a busy host stay below",
    why="An interrupt that arrives while the guest runs ends its run: the host's tick, an IPI to "
    "wake a vCPU, or a device whose interrupt is handled on this CPU.",
    advise=advise,
    remedy="APICv or AVIC with posted interrupts; interrupts of devices on other CPUs; nohz_full.",
    limits="The interrupt's vector is not recorded.",
    references=(
        "https://docs.kernel.org/admin-guide/kernel-parameters.html",
        "https://docs.kernel.org/core-api/irq/irq-affinity.html",
    ),
    rank=Rank.LATER,
)
