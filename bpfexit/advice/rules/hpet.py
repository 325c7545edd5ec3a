"""The HPET, read as a clock or set as a timer."""

from bpfexit.advice import hyperv, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to it."""
    return evidence.device(MMIO, "hpet")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise synthetic timers and a clock, then taking the HPET away."""
    del exits
    configuration = evidence.configuration
    missing = hyperv.timers(evidence)
    is_off = configuration.machine_property("hpet") == "off" or configuration.has("no-hpet")
    return Advice(
        title="The guest uses the HPET",
        changes=(*hyperv.enabling(evidence, missing), *(() if is_off else turning_off(evidence))),
        expect="The accesses end. Enable the Hyper-V timers first: without them, Windows falls "
        "back to "
        "the RTC or the ACPI PM timer.",
        confidence=Confidence.MEDIUM,
        rationale="the guest chooses its next timer",
        context=hyperv.state(configuration, "time", "stimer"),
    )


def turning_off(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to give the guest no HPET."""
    return vmm.setting(
        evidence.guest,
        libvirt="<clock><timer name='hpet' present='no'/></clock>",
        qemu="-machine …,hpet=off (or -no-hpet before QEMU 9.0)",
        proxmox='qm set VMID --args "-machine hpet=off"',
        openstack="openstack image unset --property hw_time_hpet IMAGE",
        kubevirt="spec.template.spec.domain.clock.timer.hpet: {present: false}",
    )


RULE = Rule(
    name="hpet",
    looks_for="accesses to the HPET",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest that uses it for its tick alone makes 64 to 250 accesses per second",
    why="The HPET is emulated in user space: each read of its counter is an exit there and "
    "back. Windows without synthetic timers uses it heavily, even when idle.",
    advise=advise,
    remedy="hv-stimer with hv-time for Windows, kvm-clock for Linux; then no HPET at all.",
    limits="The guest's operating system is not known from outside.",
    references=(*hyperv.REFERENCES, "https://www.qemu.org/docs/master/about/removed-features.html"),
)
