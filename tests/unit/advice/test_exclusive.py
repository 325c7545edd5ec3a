"""Advice that excludes other advice never stands beside it, whatever is configured."""

from itertools import product
from typing import Any

import pytest

from bpfexit.events.access import Access
from bpfexit.names.reasons import Isa
from tests.unit.advice.cases import SVM, VMX, mmio, msr, pio, seen
from tests.unit.advice.recordings import fixes, found
from tests.unit.builders import Exits

N, NS = 10_000, 3_000
WRITE = Access.WRITE
EXITS = {
    VMX: ("APIC_ACCESS", "INTERRUPT_WINDOW", "EXTERNAL_INTERRUPT", "APIC_WRITE"),
    SVM: ("npf", "vintr", "interrupt", "avic_incomplete_ipi"),
}
FLAGS = (None, ("svm", "vmx"), ("avic", "svm", "vmx:apicv"), ("avic", "svm", "x2avic"))
HYPERV = ("", ",hv-vapic=on", ",hv-synic=on,hv-vpindex=on", ",hv-synic=on,hv-avic=on")
X2APIC = ("", ",x2apic=off")
HIDDEN = ("", ",hypervisor=off", ",kvm=off")
PARAMETER = (None, "Y", "N")
SEEN = ("page", "hyperv", "at work", "x2apic")


def exits(backend: str, what: str) -> list[Exits]:
    isa = Isa.VMX if backend == VMX else Isa.SVM
    access, window, interrupt, works = EXITS[backend]
    about: dict[str, Any] = {"isa": isa, "ns": (NS,) * N}
    fault = "EPT_VIOLATION" if backend == VMX else "npf"
    reason = "MSR_WRITE" if backend == VMX else "msr"
    chosen = {
        "page": [Exits(access if backend == VMX else fault, **about, **mmio(0xFEE000B0, WRITE))],
        "hyperv": [Exits(reason, **about, **msr(0x40000070))],
        "at work": [Exits(works, **about)],
        "x2apic": [Exits(reason, **about, **msr(0x80B))],
    }[what]
    rtc = Exits(
        "IO_INSTRUCTION" if backend == VMX else "io", user_ns=(NS,) * N, **about, **pio(0x71)
    )
    return [*chosen, rtc, Exits(window, **about), Exits(interrupt, **about)]


CONFIGURATIONS = list(product((VMX, SVM), SEEN, PARAMETER, FLAGS, HYPERV, X2APIC, HIDDEN))


@pytest.mark.parametrize("backend", [VMX, SVM])
@pytest.mark.parametrize("what", SEEN)
def test_no_finding_contradicts_another_or_the_state(backend: str, what: str) -> None:
    rows = exits(backend, what)
    option = "kvm_intel.enable_apicv" if backend == VMX else "kvm_amd.avic"
    for _, _, value, flags, hyperv, x2apic, hidden in (
        each for each in CONFIGURATIONS if each[:2] == (backend, what)
    ):
        parameters = {option: value} if value else {}
        cpu = f"host{hyperv}{x2apic}{hidden}"
        case = seen(
            *rows,
            backend=backend,
            options=(("machine", "q35"), ("cpu", cpu)),
            parameters={**parameters, "kvm_amd.nested": "1"},
            flags=flags,
        )
        findings = found(case)
        text = fixes(findings.values())
        told = f"{backend} {what} {parameters} {flags} {cpu}\n{text}"
        turned_on = f"{option.partition('.')[2]}=1" in text
        has = value == "Y" or turned_on or "hv-avic" in text
        assert not (has and "hv-vapic=on" in text), told
        assert not (has and backend == SVM and "x2apic=on" in text), told
        assert not ("x2apic=on" in text and "x2apic=off" in text), told
        assert not ("hv-vapic=on" in text and "hv-vapic=off" in text), told
        assert not (turned_on and value in ("Y", None)), told
        assert not (turned_on and flags == ("svm", "vmx")), told
        assert not (has and "hv-stimer=on" in text and "hv-avic=on" not in text + cpu), told
        assert not ("hypervisor=off" in cpu and "hv-" in text), told
        assert not {"local-apic", "apic-inhibited"} <= findings.keys(), told
        assert not ("apic-acceleration" in findings and "apic-inhibited" in findings), told
        assert not ("hidden-hypervisor" in findings and "rtc" in findings), told


def test_no_change_is_advised_twice() -> None:
    rows = exits(SVM, "page")
    case = seen(*rows, backend=SVM, parameters={"kvm_amd.avic": "N"}, options=(("cpu", "host"),))
    findings = found(case)
    changes = [change for finding in findings.values() for change in finding.advice.changes]
    assert len(changes) == len(set(changes))
    assert fixes(findings.values()).count("avic=1") == 1
    told = [text for finding in findings.values() for text in finding.advice.context]
    assert any(text.startswith("the fix of ") for text in told)
