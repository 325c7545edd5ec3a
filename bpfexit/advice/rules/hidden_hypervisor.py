"""A hypervisor that the command line hides from the guest."""

from bpfexit.advice import hyperv, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO

PER_S = 500.0
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
        title=f"The command line hides the hypervisor from the guest ({option})",
        changes=(*_showing(evidence, option), *_native(evidence)),
        expect="The guest uses a paravirtual clock, without an exit.",
        confidence=Confidence.HIGH,
        because=f"{option} is on the command line: the guest cannot see any paravirtual clock",
        context=tuple(evidence.configuration.values("cpu")[-1:]),
        cause="A guest that does not see a hypervisor uses the clocks and timers of a PC. As long "
        "as this option is there, no enlightenment and no setting inside the guest changes that.",
    )


def _option(evidence: Evidence) -> str:
    configuration = evidence.configuration
    if configuration.hides_hypervisor:
        return "hypervisor=off"
    if configuration.cpu_says("hv-time") is False:
        return "hv-time=off"
    return "kvm=off"


def _showing(evidence: Evidence, option: str) -> tuple[Change, ...]:
    name = option.partition("=")[0]
    if name == "hv-time":
        return hyperv.enabling(evidence, ("time",))
    feature = {
        "hypervisor": "<cpu><feature policy='disable' name='hypervisor'/></cpu>",
        "kvm": "<features><kvm><hidden state='on'/></kvm></features>",
    }[name]
    return vmm.setting(
        evidence.guest,
        libvirt=f"remove {feature}",
        qemu=f"-cpu … without {option} or -{name}",
        proxmox=f"qm set VMID --cpu host (without hidden=1), and no {option} in args",
        openstack="openstack image set --property img_hide_hypervisor_id=false IMAGE",
        kubevirt="no spec.template.spec.domain.features.kvm.hidden",
    )


def _native(evidence: Evidence) -> tuple[Change, ...]:
    """Return what helps a guest that has to stay blind: a TSC that it may trust."""
    return vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='require' name='invtsc'/></cpu>, if it has to stay hidden",
        qemu="-cpu …,invtsc=on, if it has to stay hidden",
    )


RULE = Rule(
    name="hidden-hypervisor",
    looks_for="hypervisor=off, kvm=off or hv-time=off, and the clocks that a guest then uses",
    select=select,
    per_s=PER_S,
    because="a guest with a paravirtual clock makes a few at boot",
    why="A guest uses what it sees: without the hypervisor's bit in CPUID, neither kvm-clock nor "
    "any Hyper-V enlightenment.",
    advise=advise,
    remedy="Remove the option; where the guest has to stay blind, a TSC that it may trust.",
    limits="Why the hypervisor is hidden (a licence, a game) is not known.",
    references=(
        "https://www.qemu.org/docs/master/system/i386/hyperv.html",
        "https://libvirt.org/formatdomain.html#hypervisor-features",
    ),
    rank=Rank.FIRST,
)
