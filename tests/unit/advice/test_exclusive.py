"""Advice that excludes other advice never stands beside it, whatever is configured."""

from collections.abc import Iterable
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest

from bpfexit.advice import vmm
from bpfexit.advice.finding import Finding, Where
from bpfexit.events.access import Access
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
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


@cache
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
KERNELS = ("5.4.0", "5.10.0-32-amd64", "6.1.0", "7.2.0", "custom")
MANAGERS = {
    "": {"vmm": "qemu"},
    "libvirt": {"vmm": "qemu", "manager": "libvirt"},
    "proxmox": {"vmm": "qemu", "manager": "proxmox"},
    "openstack": {"vmm": "qemu", "manager": "openstack"},
    "kubevirt": {"vmm": "qemu", "manager": "kubevirt"},
    "cloud-hypervisor": {"vmm": "cloud-hypervisor"},
    "firecracker": {"vmm": "firecracker"},
    "crosvm": {"vmm": "crosvm"},
    "unknown": {"vmm": ""},
}
HOSTS = list(product(KERNELS, MANAGERS))
EVERYWHERE = list(product(HOSTS, (VMX, SVM), SEEN, FLAGS))


def case_of(
    host: tuple[str, str],
    backend: str,
    what: str,
    value: str | None,
    flags: tuple[str, ...] | None,
    cpu: str,
) -> Snapshot:
    """Return a guest on a host; only QEMU has its options."""
    kernel, manager = host
    option = "kvm_intel.enable_apicv" if backend == VMX else "kvm_amd.avic"
    about = MANAGERS[manager]
    known = (("machine", "q35"), ("cpu", cpu)) if about["vmm"] == "qemu" else ()
    return seen(
        *exits(backend, what),
        backend=backend,
        options=known,
        guest=about,
        kernel=kernel,
        parameters={**({option: value} if value else {}), "kvm_amd.nested": "1"},
        flags=flags,
    )


def check(
    of: Snapshot, backend: str, value: str | None, flags: tuple[str, ...] | None, cpu: str
) -> None:
    """Check that no finding contradicts another, or the state."""
    findings = found(of)
    text = fixes(findings.values())
    (guest,) = of.guests
    told = f"{of.origin} {guest} {cpu}\n{text}"
    option = "enable_apicv" if backend == VMX else "avic"
    turned_on = f"{option}=1" in text
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
    check_places(findings.values(), guest)


def check_places(findings: Iterable[Finding], guest: Guest) -> None:
    """Check that what is advised goes where the guest's own settings are, or to host and guest."""
    own = {Where.HOST, Where.GUEST, *vmm.places(guest)}
    for finding in findings:
        for change in finding.advice.changes:
            assert change.where in own, (finding.rule, change)
        text = " ".join((fixes(finding), *finding.advice.context))
        text += " ".join(each.decided_by for each in finding.advice.candidates)
        assert "virsh" not in text or Where.LIBVIRT in own, (finding.rule, text)
        assert "qm set" not in text or Where.PROXMOX in own, (finding.rule, text)


@pytest.mark.parametrize("backend", [VMX, SVM])
@pytest.mark.parametrize("what", SEEN)
def test_no_finding_contradicts_another_or_the_state(backend: str, what: str) -> None:
    """Each configuration is tried on one of the hosts, always the same; see below."""
    chance = Random(f"{backend} {what}")  # noqa: S311
    for _, _, value, flags, hyperv, x2apic, hidden in (
        each for each in CONFIGURATIONS if each[:2] == (backend, what)
    ):
        host = chance.choice(HOSTS)
        cpu = f"host{hyperv}{x2apic}{hidden}" if MANAGERS[host[1]]["vmm"] == "qemu" else ""
        check(case_of(host, backend, what, value, flags, cpu), backend, value, flags, cpu)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("manager", MANAGERS)
def test_nor_on_any_kernel_or_for_any_manager(kernel: str, manager: str) -> None:
    """Each host has all back ends, exits and CPUs; the rest is one of the configurations."""
    chance = Random(f"{kernel} {manager}")  # noqa: S311
    for host, backend, what, flags in EVERYWHERE:
        if host == (kernel, manager):
            value, hyperv, x2apic, hidden = map(chance.choice, (PARAMETER, HYPERV, X2APIC, HIDDEN))
            cpu = f"host{hyperv}{x2apic}{hidden}" if MANAGERS[manager]["vmm"] == "qemu" else ""
            check(case_of(host, backend, what, value, flags, cpu), backend, value, flags, cpu)


def test_no_change_is_advised_twice() -> None:
    rows = exits(SVM, "page")
    case = seen(*rows, backend=SVM, parameters={"kvm_amd.avic": "N"}, options=(("cpu", "host"),))
    findings = found(case)
    changes = [change for finding in findings.values() for change in finding.advice.changes]
    assert len(changes) == len(set(changes))
    assert fixes(findings.values()).count("avic=1") == 1
    told = [text for finding in findings.values() for text in finding.advice.context]
    assert any(text.startswith("the fix of ") for text in told)
