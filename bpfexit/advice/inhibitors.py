"""What inhibits APIC virtualization for a guest though the host allows it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bpfexit.advice import vmm
from bpfexit.advice.configuration import setting
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Change
from bpfexit.events.msr import MSR

AVIC_SINCE = "QEMU 6.2, libvirt 8.10, Linux 5.15"
X2APIC_MSRS = (0x800, 0x8FF)


@dataclass(frozen=True)
class Inhibitor:
    """One thing that inhibits it, for certain or perhaps, and how to end that."""

    name: str
    fact: str
    changes: tuple[Change, ...]
    is_certain: bool = True


def of(evidence: Evidence) -> tuple[Inhibitor, ...]:
    """Return what the command line, the host and the exits show, the certain ones first."""
    found = [each for check in _CHECKS for each in check(evidence)]
    return tuple(sorted(found, key=lambda each: not each.is_certain))


def _synic(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield SynIC, whose AutoEOI needs EOIs that KVM sees; hv-avic keeps the guest from it."""
    configuration = evidence.configuration
    is_used = configuration.hyperv("synic") and not configuration.hides_hypervisor
    if not is_used or configuration.hyperv("avic"):
        return
    flag = vmm.setting(
        evidence.guest,
        since=AVIC_SINCE,
        libvirt="<features><hyperv><avic state='on'/></hyperv></features>",
        qemu="-cpu …,hv-avic=on",
        proxmox='qm set VMID --args "-cpu host,hv-avic=on" (with all other flags)',
    )
    yield Inhibitor("synic", "hv-synic is on without hv-avic, which inhibits it", flag)


def _pit(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield a PIT that injects lost ticks again, for which KVM has to see the EOIs (AVIC)."""
    configuration = evidence.configuration
    policy = configuration.global_property("kvm-pit.lost_tick_policy")
    split = configuration.machine_property("kernel-irqchip") in ("split", "off")
    no_pit = configuration.machine_property("pit") == "off"
    off = policy == "discard" or configuration.has("no-kvm-pit-reinjection") or split or no_pit
    if evidence.backend != "kvm_amd" or not configuration.is_known or off:
        return
    change = vmm.setting(
        evidence.guest,
        libvirt="<clock><timer name='pit' tickpolicy='discard'/></clock>",
        qemu="-global kvm-pit.lost_tick_policy=discard",
        kubevirt="spec.template.spec.domain.clock.timer.pit: {tickPolicy: discard}",
    )
    fact = f"the PIT injects lost ticks again (lost_tick_policy={policy or 'delay, the default'})"
    yield Inhibitor("pit", fact, change)


def _x2apic(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield x2APIC, whose MSRs AVIC handles only on a CPU with x2AVIC (Zen 4)."""
    configuration = evidence.configuration
    uses = evidence.take(evidence.at(MSR, X2APIC_MSRS)).count > 0
    if evidence.backend != "kvm_amd" or configuration.cpu_says("x2apic") is False:
        return
    known = evidence.facts.has_flag("x2avic")
    if known or not (uses or configuration.is_known):
        return
    change = vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='disable' name='x2apic'/></cpu>",
        qemu="-cpu …,x2apic=off",
    )
    lacks = "the CPU has no x2AVIC" if known is False else "the CPU may have no x2AVIC (Zen 4 has)"
    yield Inhibitor("x2apic", f"x2APIC is on, and {lacks}", change, known is False and uses)


def _nested(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield nesting: before Linux 5.19 where it is offered, since then while it is used."""
    configuration = evidence.configuration
    allowed = setting(evidence.facts.parameters.get("kvm_amd.nested"))
    offered = configuration.cpu_says("svm")
    if offered is None and configuration.is_known:
        offered = any(value.startswith(("host", "max")) for value in configuration.values("cpu"))
    if evidence.backend != "kvm_amd" or not allowed or not offered:
        return
    change = vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='disable' name='svm'/></cpu>",
        qemu="-cpu …,svm=off (if it runs no guests itself)",
        proxmox='qm set VMID --args "-cpu host,-svm" (if it runs no guests itself)',
    )
    runs = evidence.take(evidence.reason("vmrun")).count > 0
    fact = "nesting is offered to the guest (kvm_amd.nested, svm)"
    yield Inhibitor("nested", fact, change, runs)


_CHECKS: tuple[Callable[[Evidence], Iterator[Inhibitor]], ...] = (_synic, _pit, _nested, _x2apic)
