"""The guest's own timers, whose expiry on the host interrupts the guest."""

from bpfexit.advice import apicv, cpu_pm, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.advice.rules import interrupts
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR

MIN_RATE = 2000.0
PARAMETER = "kvm.pi_inject_timer"
_START_MSRS = (0x6E0, 0x6E0), (0x838, 0x838), (0x400000B0, 0x400000B7)
_START_PAGE = (0xFEE00380, 0xFEE0038F)
_PART = 0.5


def select(evidence: Evidence) -> Mask:
    """Return the host's interrupts of vCPUs that set a timer for every other one at least."""
    timers = evidence.none
    starts = evidence.at(MSR, *_START_MSRS) | evidence.at(MMIO, _START_PAGE)
    starts &= evidence.access(Access.WRITE)
    hits = evidence.reason(*interrupts.REASONS)
    tids = evidence.rows["tid"]
    for tid in set(tids[hits].tolist()):
        own = tids == tid
        set_ = evidence.take(starts & own).count
        if set_ and set_ >= _PART * evidence.take(hits & own).count:
            timers |= hits & own
    return timers


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise timers on other CPUs, where posted interrupts can carry them."""
    del exits
    value = evidence.facts.parameters.get(PARAMETER)
    inject = _inject(evidence, value)
    return Advice(
        title="The guest's own timers expire on the CPU that it runs on",
        changes=(
            *inject,
            *apicv.changes(evidence),
            remedies.in_guest("fewer, longer timers: NO_HZ, no polling with short sleeps"),
        ),
        expect="The timer expires on a housekeeping CPU and is posted to the guest without an exit."
        if inject
        else "Each timer avoided saves two exits: setting it and its expiry.",
        confidence=Confidence.LOW,
        rationale="there is a timer set for every other interrupt at least; /proc/interrupts (LOC) "
        "confirms it",
        context=(*((f"{PARAMETER} is {value} on this host",) if value else ()),),
    )


def _inject(evidence: Evidence, value: str | None) -> tuple[Change, ...]:
    """Return what posting the timer takes, unless no posted interrupt can carry it.

    `kvm_can_post_timer_interrupt()` wants the parameter, APIC virtualization, and a guest
    whose HLT or MWAIT does not exit. The parameter is on by default with nohz_full.
    """
    no_exits = cpu_pm.turning_on(evidence)
    if not apicv.is_active(evidence) or not (no_exits or cpu_pm.is_on(evidence)):
        return ()
    if value in ("Y", "1"):
        return no_exits
    boot = remedies.boot("nohz_full=CPUS isolcpus=CPUS, with the vCPUs pinned there,")
    return (remedies.parameter(PARAMETER, "1", "Linux 5.3"), boot, *no_exits)


RULE = Rule(
    name="timer-interrupts",
    looks_for="host interrupts of guests that set as many timers",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest with a 1000 Hz tick takes 1000",
    why="KVM keeps a guest's timer as a timer of the host, by default on the CPU of the vCPU. Its "
    "expiry is an interrupt of that CPU, and ends the guest's run.",
    advise=advise,
    remedy="kvm.pi_inject_timer=1 with nohz_full, posted interrupts and -overcommit cpu-pm=on; "
    "fewer timers.",
    limits="The interrupt's vector is not recorded: that the rates agree is what there is. On "
    "Intel the preemption timer takes its place, under tsc-deadline.",
    references=("https://docs.kernel.org/admin-guide/kernel-parameters.html",),
)
