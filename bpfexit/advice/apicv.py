"""APIC virtualization by the CPU: whether this guest has it, and what keeps it from it.

The one place that knows: rules ask it, so none contradicts another. `avic` of kvm_amd and
`enable_apicv` of kvm_intel say what the host allows, the CPU's flags what it can; the guest's
command line, and Linux's list of reasons (`apicv_inhibit` in arch/x86/include/asm/kvm_host.h),
what inhibits it; the exits show whether it is at work.
"""

import re

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
"""Reasons that only a guest whose APIC is virtualized exits for."""

IPIV = "kvm_intel.enable_ipiv"
_PARAMETERS = {"kvm_intel": "enable_apicv", "kvm_amd": "avic"}
_NAMES = {"kvm_intel": "APICv", "kvm_amd": "AVIC"}
_FLAGS = {"kvm_intel": "vmx:apicv", "kvm_amd": "avic"}
_EOI = (0xFEE000B0, 0xFEE000B0), (0x80B, 0x80B)
_MANY_PER_S = 500.0
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)


def linux_since(evidence: Evidence, major: int, minor: int) -> bool | None:
    """Say whether the host's Linux is of a version or newer; None where it is not known."""
    found = _VERSION.match(evidence.kernel)
    return None if found is None else (int(found[1]), int(found[2])) >= (major, minor)


def name(evidence: Evidence) -> str:
    """Return what the vendor calls it."""
    return _NAMES.get(evidence.backend, "APICv or AVIC")


def parameter(evidence: Evidence) -> str | None:
    """Return the module parameter that allows it; None where the back end has none."""
    option = _PARAMETERS.get(evidence.backend)
    return f"{evidence.backend}.{option}" if option else None


def is_allowed(evidence: Evidence) -> bool | None:
    """Say whether the host's parameter allows it; None where that is not known."""
    option = parameter(evidence)
    return setting(evidence.facts.parameters.get(option)) if option else None


def is_capable(evidence: Evidence) -> bool | None:
    """Say whether the CPU can do it, as far as its flags or the exits tell."""
    if is_at_work(evidence) or is_allowed(evidence):
        return True
    flag = _FLAGS.get(evidence.backend)
    return evidence.facts.has_flag(flag) if flag else None


def is_at_work(evidence: Evidence) -> bool:
    """Say whether exits were seen that only a virtualized APIC takes, and no emulated EOI."""
    works = _is_frequent(evidence, evidence.reason(*AT_WORK))
    return works and not _is_frequent(evidence, _emulated_eoi(evidence))


def is_inhibited(evidence: Evidence) -> bool:
    """Say whether it is allowed, yet the guest takes exits that it would spare."""
    return bool(is_allowed(evidence)) and _is_frequent(evidence, spared(evidence))


def is_active(evidence: Evidence) -> bool:
    """Say whether it is allowed, and nothing shows or says that it is inhibited."""
    if is_at_work(evidence):
        return True
    known = any(each.is_certain for each in inhibitors.of(evidence))
    return bool(is_allowed(evidence)) and not is_inhibited(evidence) and not known


def spared(evidence: Evidence) -> Mask:
    """Return the exits that APIC virtualization spares: those for EOI, TPR and the window."""
    page = evidence.at(MMIO, PAGE) | evidence.reason("APIC_ACCESS") | first_exits(evidence)
    window = evidence.reason("INTERRUPT_WINDOW", "vintr", "TPR_BELOW_THRESHOLD")
    return (page | _emulated_eoi(evidence) | window) & ~evidence.reason(*AT_WORK)


def _emulated_eoi(evidence: Evidence) -> Mask:
    page, register = _EOI
    writes = evidence.at(MMIO, page) | evidence.at(MSR, register)
    return writes & evidence.access(Access.WRITE) & ~evidence.reason(*AT_WORK)


def _is_frequent(evidence: Evidence, mask: Mask) -> bool:
    """Say whether a vCPU takes so many of these exits that they are no rare leftover."""
    return any(each.per_s >= _MANY_PER_S for each in evidence.take(mask).vcpus())


def can_be_allowed(evidence: Evidence) -> bool:
    """Say whether it is off and may be turned on: not on a CPU without it.

    AVIC is off by default. APICv is on by default, so off means that the CPU, or the
    hypervisor below, has none, unless the CPU's flags show it.
    """
    if is_allowed(evidence) is not False:
        return False
    capable = is_capable(evidence)
    return capable is True if evidence.backend == "kvm_intel" else capable is not False


def is_wanted(evidence: Evidence) -> bool:
    """Say whether this guest has it, or is advised to: nothing may then turn it off."""
    if is_allowed(evidence):
        return True
    return can_be_allowed(evidence) and _is_frequent(evidence, spared(evidence))


def state(evidence: Evidence) -> tuple[str, ...]:
    """Report the host's parameter, what the CPU lacks, and what holds it off if one thing does."""
    option = parameter(evidence)
    value = evidence.facts.parameters.get(option) if option else None
    said = [f"{option} is {value} on this host"] if value else []
    flag = _FLAGS.get(evidence.backend, "")
    if evidence.facts.has_flag(flag) is False and not is_capable(evidence):
        said.append(f"the host's CPU has no {name(evidence)}")
    if evidence.facts.has_flag("hypervisor") and not is_allowed(evidence):
        said.append("this host is a guest itself: only the hypervisor below can give it one")
    held = () if candidates(evidence) else holders(evidence)
    return (*said, *(each.fact for each in held))


def holders(evidence: Evidence) -> tuple[inhibitors.Inhibitor, ...]:
    """Return what holds it off, or may, for a guest that has it or is advised to."""
    if is_at_work(evidence) or not is_wanted(evidence):
        return ()
    return inhibitors.of(evidence)


def because(evidence: Evidence) -> str:
    """Return what the advice rests on."""
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
    return f"{name(evidence)} is off on this host"


def candidates(evidence: Evidence) -> tuple[Candidate, ...]:
    """Return what may inhibit it, where more than one thing may, and what tells."""
    holding = holders(evidence) if is_inhibited(evidence) else ()
    tells = "the event kvm:kvm_apicv_inhibit_changed (Linux 5.19) while the guest starts"
    return tuple(Candidate(each.fact, tells) for each in holding) if len(holding) > 1 else ()


def changes(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to turn it on, and how to end what inhibits it."""
    if not is_wanted(evidence) or is_at_work(evidence):
        return ()
    option = parameter(evidence)
    allow: tuple[Change, ...] = ()
    if option and can_be_allowed(evidence):
        allow = (
            remedies.reload(option, "1", "the CPU must have it: its flag is in /proc/cpuinfo"),
        )
    return (*allow, *(change for each in inhibitors.of(evidence) for change in each.changes))


def ipi_virtualization(evidence: Evidence) -> tuple[Change, ...]:
    """Return the parameter where it is off on an Intel CPU that may have it."""
    off = setting(evidence.facts.parameters.get(IPIV)) is False
    if not off or evidence.facts.has_flag("vmx:ipi_virt") is False:
        return ()
    needs = "a CPU that has it, such as Sapphire Rapids; the default is Y"
    return (remedies.reload(IPIV, "1", needs, since="Linux 5.19"),)
