"""APIC virtualization by the CPU: whether a guest has it, and what inhibits it.

Rules use this module alone, so none contradicts another. `avic` of kvm_amd and `enable_apicv` of
kvm_intel tell what the host allows, the CPU's flags what it supports. The guest's command line and
Linux's list of reasons (`apicv_inhibit` in arch/x86/include/asm/kvm_host.h) tell what inhibits it.
The exits show whether it is active.
"""

from bpfexit.advice import inhibitors, remedies
from bpfexit.advice.apic_page import PAGE, first_exits
from bpfexit.advice.configuration import setting
from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.advice.finding import Candidate, Change
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR

REFERENCES = (
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    "https://www.qemu.org/docs/master/system/i386/hyperv.html",
)
AT_WORK = ("APIC_WRITE", "EOI_INDUCED", "avic_incomplete_ipi", "avic_unaccelerated_access")
"""Reasons of exits that only a guest with a virtualized APIC takes."""

IPIV = "kvm_intel.enable_ipiv"
_PARAMETERS = {"kvm_intel": "enable_apicv", "kvm_amd": "avic"}
_NAMES = {"kvm_intel": "APICv", "kvm_amd": "AVIC"}
_FLAGS = {"kvm_intel": "vmx:apicv", "kvm_amd": "avic"}
_EOI = (0xFEE000B0, 0xFEE000B0), (0x80B, 0x80B)
_HIGH_RATE = 500.0


def name(evidence: Evidence) -> str:
    """Return the vendor's name for it."""
    return _NAMES.get(evidence.backend, "APICv or AVIC")


def parameter(evidence: Evidence) -> str | None:
    """Return the module parameter that allows it; None if the back end has none."""
    option = _PARAMETERS.get(evidence.backend)
    return f"{evidence.backend}.{option}" if option else None


def is_allowed(evidence: Evidence) -> bool | None:
    """Return whether the host's parameter allows it; None if unknown."""
    option = parameter(evidence)
    return setting(evidence.facts.parameters.get(option)) if option else None


def is_capable(evidence: Evidence) -> bool | None:
    """Return whether the CPU supports it, by its flags or the exits; None if unknown."""
    if is_at_work(evidence) or is_allowed(evidence):
        return True
    flag = _FLAGS.get(evidence.backend)
    return evidence.facts.has_flag(flag) if flag else None


def is_at_work(evidence: Evidence) -> bool:
    """Return whether the exits show that it is active: some only it takes, and no emulated EOI."""
    works = _is_frequent(evidence, evidence.reason(*AT_WORK))
    return works and not _is_frequent(evidence, _emulated_eoi(evidence))


def is_inhibited(evidence: Evidence) -> bool:
    """Return whether it is allowed, yet the guest takes exits that it avoids."""
    return bool(is_allowed(evidence)) and _is_frequent(evidence, spared(evidence))


def is_active(evidence: Evidence) -> bool:
    """Return whether it is allowed, and nothing indicates that it is inhibited."""
    if is_at_work(evidence):
        return True
    known = any(inhibitor.is_certain for inhibitor in inhibitors.of(evidence))
    return bool(is_allowed(evidence)) and not is_inhibited(evidence) and not known


def spared(evidence: Evidence) -> Mask:
    """Return the exits that APIC virtualization avoids: EOI, TPR and interrupt windows."""
    page = evidence.at(MMIO, PAGE) | evidence.reason("APIC_ACCESS") | first_exits(evidence)
    window = evidence.reason("INTERRUPT_WINDOW", "vintr", "TPR_BELOW_THRESHOLD")
    return (page | _emulated_eoi(evidence) | window) & ~evidence.reason(*AT_WORK)


def _emulated_eoi(evidence: Evidence) -> Mask:
    page, register = _EOI
    writes = evidence.at(MMIO, page) | evidence.at(MSR, register)
    return writes & evidence.access(Access.WRITE) & ~evidence.reason(*AT_WORK)


def _is_frequent(evidence: Evidence, mask: Mask) -> bool:
    """Return whether a vCPU takes too many of these exits for them to be exceptions."""
    return any(exits.rate >= _HIGH_RATE for exits in evidence.take(mask).vcpus())


def can_be_allowed(evidence: Evidence) -> bool:
    """Return whether it is off and can be turned on: not on a CPU without it.

    AVIC is off by default on most kernels. APICv is on by default, so if it is off, the CPU
    or the hypervisor below lacks it, unless the CPU's flags show it.
    """
    if is_allowed(evidence) is not False or inhibitors.unending(evidence):
        return False
    capable = is_capable(evidence)
    return capable is True if evidence.backend == "kvm_intel" else capable is not False


def is_wanted(evidence: Evidence) -> bool:
    """Return whether this guest has it or is advised to use it; no advice may then disable it."""
    if is_allowed(evidence):
        return True
    return can_be_allowed(evidence) and _is_frequent(evidence, spared(evidence))


def state(evidence: Evidence) -> tuple[str, ...]:
    """Return the host's parameter, what the CPU lacks, and what inhibits it if that is known."""
    option = parameter(evidence)
    value = evidence.facts.parameters.get(option) if option else None
    settings = [f"{option} is {value} on this host"] if value else []
    flag = _FLAGS.get(evidence.backend, "")
    if evidence.facts.has_flag(flag) is False and not is_capable(evidence):
        settings.append(f"the host's CPU has no {name(evidence)}")
    if evidence.facts.has_flag("hypervisor") and not is_allowed(evidence):
        settings.append("this host is a guest itself: only the hypervisor below can give it one")
    held = () if candidates(evidence) else holders(evidence)
    return (*settings, *(inhibitor.fact for inhibitor in held))


def holders(evidence: Evidence) -> tuple[inhibitors.Inhibitor, ...]:
    """Return what inhibits it, or may, for a guest that has it or is advised to use it."""
    if is_at_work(evidence) or not is_wanted(evidence):
        return ()
    return inhibitors.of(evidence)


def rationale(evidence: Evidence) -> str:
    """Return the rationale of the advice."""
    if parameter(evidence) is None:
        return f"{evidence.backend} has no APIC virtualization to turn on"
    if is_at_work(evidence):
        return f"{name(evidence)} is at work: its own exits are there"
    allowed = is_allowed(evidence)
    if allowed is None:
        return "whether APIC virtualization is on is not known"
    return _on(evidence) if allowed else _off(evidence)


def _on(evidence: Evidence) -> str:
    if is_inhibited(evidence):
        return f"{name(evidence)} is on for the host; these exits show that something inhibits it"
    return f"{name(evidence)} is on, and no exit shows that it is inhibited"


def _off(evidence: Evidence) -> str:
    if evidence.backend == "kvm_intel" and not can_be_allowed(evidence):
        return "the default is Y, so N mostly means that the CPU, or the hypervisor below, has none"
    inhibitor = inhibitors.unending(evidence)
    useless = f", and would not be active: {inhibitor}" if inhibitor else ""
    return f"{name(evidence)} is off on this host{useless}"


def candidates(evidence: Evidence) -> tuple[Candidate, ...]:
    """Return the possible inhibitors if there are several, and how to decide."""
    holding = holders(evidence) if is_inhibited(evidence) else ()
    tells = (
        "the event kvm:kvm_apicv_inhibit_changed (in Linux 5.10: kvm_apicv_update_request) "
        "while the guest starts"
    )
    return (
        tuple(Candidate(inhibitor.fact, tells) for inhibitor in holding) if len(holding) > 1 else ()
    )


def changes(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn it on, and how to remove what inhibits it."""
    if not is_wanted(evidence) or is_at_work(evidence):
        return ()
    option = parameter(evidence)
    allow: tuple[Change, ...] = ()
    if option and can_be_allowed(evidence):
        allow = (
            remedies.reload(option, "1", "the CPU must have it: its flag is in /proc/cpuinfo"),
        )
    return (
        *allow,
        *(change for inhibitor in inhibitors.of(evidence) for change in inhibitor.changes),
    )


def ipi_virtualization(evidence: Evidence) -> tuple[Change, ...]:
    """Return the parameter if it is off on an Intel CPU that may support it."""
    off = setting(evidence.facts.parameters.get(IPIV)) is False
    if not off or not evidence.facts.has_flag("vmx:ipi_virt"):
        return ()
    return (remedies.reload(IPIV, "1", since="Linux 6.0"),)
