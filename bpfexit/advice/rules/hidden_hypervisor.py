"""A hypervisor that the command line hides from the guest."""

from bpfexit.advice import hyperv, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO

MIN_RATE = 500.0
_NO_HYPERVISOR, _NO_KVM, _NO_HV_TIME = "hypervisor=off", "kvm=off", "hv-time=off"
_HIDDEN = {
    _NO_HYPERVISOR: "any paravirtual clock",
    _NO_KVM: "kvm-clock, and Hyper-V's clock is not on",
    _NO_HV_TIME: "Hyper-V's clock",
}
_MEANS = {
    _NO_HYPERVISOR: "As long as this option is there, no enlightenment and no setting inside the "
    "guest changes that.",
    _NO_KVM: "Linux finds no kvm-clock as long as this option is there. It does not hide Hyper-V's "
    "clock, which Windows uses.",
    _NO_HV_TIME: "Windows knows Hyper-V's clock alone. A Linux guest has kvm-clock all the same: "
    "look there first at its clocksource.",
}
_CLOCKS = ("acpi-tmr", "rtc", "pit")
_REFERENCE_COUNT = (0x40000020, 0x40000020)


def select(evidence: Evidence) -> Mask:
    """Return accesses to clocks and timers that a paravirtual clock replaces, if one is hidden."""
    configuration = evidence.configuration
    off = configuration.cpu_says("hv-time") is False and not configuration.hyperv("time")
    only_kvm = configuration.hides_kvm and not configuration.hyperv("time")
    if not (configuration.hides_hypervisor or only_kvm or off):
        return evidence.none
    clocks = evidence.device(PIO, *_CLOCKS) | evidence.device(MMIO, "hpet")
    return clocks | evidence.at(MSR, _REFERENCE_COUNT)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to show it, first of all."""
    del exits
    option = _option(evidence)
    return Advice(
        title=f"The command line hides the hypervisor's clock from the guest ({option})",
        changes=(*_showing(evidence, option), *_native(evidence)),
        expect="The guest uses a paravirtual clock, without an exit.",
        confidence=Confidence.MEDIUM if option == _NO_HV_TIME else Confidence.HIGH,
        rationale=f"{option} is on the command line: the guest cannot see {_HIDDEN[option]}",
        context=tuple(evidence.configuration.values("cpu")[-1:]),
        cause="A guest that does not see a hypervisor's clock uses the clocks and timers of a PC. "
        + _MEANS[option],
    )


def _option(evidence: Evidence) -> str:
    configuration = evidence.configuration
    if configuration.hides_hypervisor:
        return _NO_HYPERVISOR
    return _NO_KVM if configuration.hides_kvm else _NO_HV_TIME


def _showing(evidence: Evidence, option: str) -> tuple[Change, ...]:
    name = option.partition("=")[0]
    if name == "hv-time":
        return hyperv.enabling(evidence, ("time",))
    feature = {
        "hypervisor": "<cpu><feature policy='disable' name='hypervisor'/></cpu>",
        "kvm": "<features><kvm><hidden state='on'/></kvm></features>",
    }[name]
    windows = hyperv.enabling(evidence, ("time",)) if option == _NO_KVM else ()
    shown = vmm.setting(
        evidence.guest,
        libvirt=f"remove {feature}",
        qemu=f"-cpu … without {option} or -{name}",
        proxmox=f"qm set VMID --cpu host (without hidden=1), and no {option} in args",
        openstack="openstack image set --property img_hide_hypervisor_id=false IMAGE",
        kubevirt="no spec.template.spec.domain.features.kvm.hidden",
    )
    return (*windows, *shown)


def _native(evidence: Evidence) -> tuple[Change, ...]:
    """Return what helps a guest that must not see its hypervisor: a TSC that it may trust."""
    return vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='require' name='invtsc'/></cpu>, if it has to stay hidden",
        qemu="-cpu …,invtsc=on, if it has to stay hidden",
    )


RULE = Rule(
    name="hidden-hypervisor",
    looks_for="hypervisor=off, kvm=off or hv-time=off, and the clocks that a guest then uses",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest with a paravirtual clock makes a few at boot",
    why="A guest uses what it sees: without the hypervisor's bit in CPUID, neither kvm-clock nor "
    "any Hyper-V enlightenment.",
    advise=advise,
    remedy="Remove the option; if it has to stay, a TSC that the guest may trust.",
    limits="Why the hypervisor is hidden (a licence, a game) is not known.",
    references=(
        "https://www.qemu.org/docs/master/system/i386/hyperv.html",
        "https://libvirt.org/formatdomain.html#hypervisor-features",
    ),
    rank=Rank.FIRST,
)
