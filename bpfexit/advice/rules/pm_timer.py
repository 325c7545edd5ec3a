"""The ACPI PM timer, read as a clock."""

from bpfexit.advice import hyperv, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Takes, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.access import Access
from bpfexit.events.pio import PIO

MIN_RATE = 1000.0
LINUX = "Linux: clocksource kvm-clock (sysfs: current_clocksource)"
WINDOWS = "Windows: bcdedit /deletevalue useplatformclock"


def select(evidence: Evidence) -> Mask:
    """Return the reads of it."""
    return evidence.device(PIO, "acpi-tmr") & evidence.access(Access.READ)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise a paravirtual clock, or report that the guest does not use its own."""
    del exits
    configuration = evidence.configuration
    missing = hyperv.lacking(configuration, "time")
    sure, rationale = _confidence(evidence)
    if not missing:
        return Advice(
            title="hv-time is on, but the guest still reads the ACPI PM timer",
            changes=(
                Change(Where.GUEST, WINDOWS, Takes.GUEST_REBOOT),
                Change(Where.GUEST, LINUX, Takes.AT_ONCE),
            ),
            expect="The reads end once the guest uses the Hyper-V clock.",
            confidence=Confidence.MEDIUM,
            rationale="hv-time is enabled; why it is unused is visible only inside the guest",
            context=hyperv.state(configuration, "time"),
        )
    kvmclock = configuration.cpu_says("kvmclock") is False or configuration.cpu_says("kvm") is False
    hidden = ("the command line hides kvm-clock from Linux guests",) if kvmclock else ()
    return Advice(
        title="The guest uses the ACPI PM timer as its clock",
        changes=(
            *hyperv.enabling(evidence, missing),
            Change(Where.GUEST, LINUX, Takes.AT_ONCE),
        ),
        expect="These exits end, and the guest gets nearly all of their time back.",
        confidence=sure,
        rationale=rationale,
        context=(*hyperv.state(configuration, "time"), *hidden),
    )


def _confidence(evidence: Evidence) -> tuple[Confidence, str]:
    if evidence.is_mapped(select(evidence)):
        return Confidence.HIGH, "the guest's own memory map names the port"
    if vmm.is_qemu(evidence.guest):
        usual = "the port is QEMU's usual one; --qmp or --libvirt would confirm it"
        return Confidence.MEDIUM, usual
    return Confidence.MEDIUM, "the port is a usual one of this timer"


RULE = Rule(
    name="pm-timer",
    looks_for="reads of the ACPI PM timer",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest that reads it once per tick stays below",
    why="A Windows guest without a Hyper-V clock, or a Linux guest on clocksource acpi_pm, reads "
    "this timer for every timestamp. Each read leaves the guest and is answered in user space.",
    advise=advise,
    remedy="hv-time (libvirt: timer hypervclock) for Windows, kvm-clock for Linux: both are read "
    "from a page of memory, without an exit.",
    limits="The guest's operating system is not known from outside, so both remedies are given. "
    "A guest in "
    "its firmware reads it, too.",
    references=(*hyperv.REFERENCES, "https://docs.kernel.org/virt/kvm/x86/timekeeping.html"),
)
