"""What inhibits APIC virtualization for a guest though the host allows it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bpfexit.advice import vmm
from bpfexit.advice.configuration import setting
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Change
from bpfexit.advice.kernel import linux_since
from bpfexit.events.msr import MSR

AVIC_SINCE = "QEMU 6.2, libvirt 8.10, Linux 5.15"
X2APIC_MSRS = (0x800, 0x8FF)
_SEV = ("sev-guest", "sev-snp-guest")


@dataclass(frozen=True)
class Inhibitor:
    """One thing that inhibits it, certainly or possibly, and how to remove it."""

    name: str
    fact: str
    changes: tuple[Change, ...]
    is_certain: bool = True


def of(evidence: Evidence) -> tuple[Inhibitor, ...]:
    """Return what the command line, the host and the exits show, certain ones first."""
    inhibitors = [inhibitor for check in _CHECKS for inhibitor in check(evidence)]
    return tuple(sorted(inhibitors, key=lambda inhibitor: not inhibitor.is_certain))


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
    )
    yield Inhibitor("synic", "hv-synic is on without hv-avic, which inhibits it", flag)


def _pit(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield a PIT that injects lost ticks again, for which KVM has to see the EOIs (AVIC)."""
    configuration = evidence.configuration
    if evidence.backend == "kvm_amd" and evidence.guest.vmm == "firecracker":
        yield Inhibitor("pit", "Firecracker's PIT injects lost ticks again, which inhibits it", ())
        return
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
    """Yield x2APIC, whose MSRs AVIC handles only on a CPU with x2AVIC (Zen 4).

    Before Linux 6.0 AVIC is inhibited where the guest's CPUID has x2APIC; since then AVIC
    delivers interrupts all the same (hybrid AVIC), and only the MSRs exit.
    """
    configuration = evidence.configuration
    uses = evidence.take(evidence.at(MSR, X2APIC_MSRS)).count > 0
    if evidence.backend != "kvm_amd" or configuration.cpu_says("x2apic") is False:
        return
    known = evidence.facts.has_flag("x2avic")
    is_hybrid = linux_since(evidence, 6, 0)
    if known or not (uses or (configuration.is_known and not is_hybrid)):
        return
    change = vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='disable' name='x2apic'/></cpu>",
        qemu="-cpu …,x2apic=off",
    )
    lacks = "the CPU has no x2AVIC" if known is False else "the CPU may have no x2AVIC (Zen 4 has)"
    yield Inhibitor("x2apic", f"x2APIC is on, and {lacks}", change, known is False and uses)


def _sev(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield SEV: AVIC cannot work with encrypted memory, and nothing changes that."""
    objects = evidence.configuration.values("object")
    if evidence.backend == "kvm_amd" and any(value.startswith(_SEV) for value in objects):
        yield Inhibitor("sev", "the guest's memory is encrypted (SEV), which inhibits AVIC", ())


def _nested(evidence: Evidence) -> Iterator[Inhibitor]:
    """Yield nesting: before Linux 5.19 if it is offered, since then while it is used."""
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
    )
    runs = evidence.take(evidence.reason("vmrun")).count > 0
    fact = "nesting is offered to the guest (kvm_amd.nested, svm)"
    if runs:
        fact = "the guest runs guests of its own, and AVIC is inhibited while they run"
    if runs or not linux_since(evidence, 5, 19):
        yield Inhibitor("nested", fact, change, runs)


def unending(evidence: Evidence) -> str:
    """Return what inhibits it for certain and cannot be ended for this guest; "" if nothing."""
    facts = (each.fact for each in of(evidence) if each.is_certain and not each.changes)
    return next(facts, "")


_CHECKS: tuple[Callable[[Evidence], Iterator[Inhibitor]], ...] = (
    _sev,
    _synic,
    _pit,
    _nested,
    _x2apic,
)
