"""What the guest's operations look like as exits: on SVM, and on VMX with one kernel or another."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bpfexit.testguest.mix import LOCAL_APIC
from tests.counting import CONTROL_PORT, HLT_TIMER_REGISTERS, Place
from tests.testbed.bochs import INSTRUCTION_NS
from tests.testbed.truth import NOWHERE

Key = tuple[str, Place]
"""A reason and what the exit was after."""

Operations = Iterable[Mapping[str, Any]]
"""What the guest says it did, each kind with its place and count."""

PAGE_SHIFT = 12


@dataclass(frozen=True)
class Vendor:
    """How a host names exits, which there are besides, and how long an instruction takes there.

    `port` and `cpuid` are reasons by name, for filters. `program` is how `doctor` begins to say
    in which way `kvm_exit` is attached; `carried` are the events that then have no program.
    """

    expected: Callable[[Operations], Counter[Key]]
    besides: frozenset[Key]
    port: str
    cpuid: str
    halt: str
    instruction_ns: int
    program: str
    carried: frozenset[str] = frozenset()


def place_of(operation: Mapping[str, Any]) -> Place:
    """Return what an operation, or a row, is after."""
    return Place(operation["kind"], operation["access"], operation["address"])


def _besides(port: str, timer: Iterable[str], nowhere: Iterable[str]) -> frozenset[Key]:
    """Return what is no operation: the control port, a halt's timer, and these at no address."""
    control = (port, Place("pio", "write", CONTROL_PORT))
    halts = (
        (reason, Place("mmio", "write", register))
        for reason in timer
        for register in HLT_TIMER_REGISTERS
    )
    return frozenset({control, *halts, *((reason, NOWHERE) for reason in nowhere)})


_SVM_REASONS = {"pio": "io", "mmio": "npf", "msr": "msr"}


def _on_svm(operations: Operations) -> Counter[Key]:
    total: Counter[Key] = Counter()
    for each in operations:
        reason = _SVM_REASONS[each["kind"]] if each["kind"] else each["op"]
        total[reason, place_of(each)] += each["count"]
    return total


CLASSIC = "classic, at twice the cost: before Linux 5.16"


def svm(release: str) -> Vendor:
    """Return what exits are on SVM with this kernel."""
    raw = not release.startswith("5.10.")
    return Vendor(
        expected=_on_svm,
        # At no address: first touches of memory, the host's own interrupts, wake-ups from HLT.
        besides=_besides("io", ["npf"], ["npf", "interrupt", "nmi", "vintr"]),
        port="io",
        cpuid="cpuid",
        halt="hlt",
        instruction_ns=1,
        program="raw: the reason is read from the VMCB" if raw else CLASSIC,
        carried=frozenset({"kvm_pio", "kvm_msr"}) if raw else frozenset(),
    )


def _on_vmx(apic: str) -> Callable[[Operations], Counter[Key]]:
    """Return what exits operations take where an access to the APIC's page is an exit `apic`.

    The first touch of a page of MMIO is a violation of the EPT. KVM then marks the page, and
    each further touch is a misconfiguration.
    """

    def reason_of(operation: Mapping[str, Any]) -> str:
        place = place_of(operation)
        if place.kind == "mmio":
            return apic if place.address in _APIC_PAGE else "EPT_MISCONFIG"
        name = operation["op"] if place.kind is None else f"{place.kind} {place.access}"
        return _VMX_REASONS[name]

    def expected(operations: Operations) -> Counter[Key]:
        total: Counter[Key] = Counter()
        touched = set()
        for each in operations:
            place, reason = place_of(each), reason_of(each)
            total[reason, place] += each["count"]
            page = (place.address or 0) >> PAGE_SHIFT
            if reason == "EPT_MISCONFIG" and page not in touched:
                touched.add(page)
                total[reason, place] -= 1
                total["EPT_VIOLATION", place] += 1
        return +total

    return expected


_APIC_PAGE = range(LOCAL_APIC, LOCAL_APIC + (1 << PAGE_SHIFT))
_VMX_REASONS = {
    "pio read": "IO_INSTRUCTION",
    "pio write": "IO_INSTRUCTION",
    "msr read": "MSR_READ",
    "msr write": "MSR_WRITE",
    "cpuid": "CPUID",
    "hlt": "HLT",
}


def vmx(release: str) -> Vendor:
    """Return what exits are on VMX with this kernel."""
    raw = not release.startswith("5.10.")
    # Without APICv, newer kernels do not map the APIC's page.
    apic = "EPT_VIOLATION" if raw else "APIC_ACCESS"
    # An EOI of an APIC_ACCESS is served without being emulated, so no event has its address.
    nowhere = [apic, "EPT_VIOLATION", "EXTERNAL_INTERRUPT", "EXCEPTION_NMI", "INTERRUPT_WINDOW"]
    return Vendor(
        expected=_on_vmx(apic),
        besides=_besides("IO_INSTRUCTION", [apic, "EPT_VIOLATION"], [*nowhere, "PREEMPTION_TIMER"]),
        port="IO_INSTRUCTION",
        cpuid="CPUID",
        halt="HLT",
        instruction_ns=INSTRUCTION_NS,
        program="raw: the reason is read from struct vcpu_vmx" if raw else CLASSIC,
    )
