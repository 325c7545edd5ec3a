"""What each rule is about, as exits of the three kinds of back end that there are."""

from dataclasses import dataclass, field, replace
from typing import Any

from bpfexit.advice.registry import rule
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.usage import HostUsage
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, snapshot

VMX, SVM, PVM = "kvm_intel", "kvm_amd", "kvm_pvm"
ISAS = {VMX: Isa.VMX, SVM: Isa.SVM, PVM: Isa.NONE}
ACCESS_REASONS = {
    PIO: {VMX: "IO_INSTRUCTION", SVM: "io"},
    MMIO: {VMX: "EPT_MISCONFIG", SVM: "npf"},
    MSR: {VMX: "MSR_WRITE", SVM: "msr"},
}


@dataclass(frozen=True)
class Case:
    """Exits that a rule is about; `reasons` by back end, for those without an address."""

    about: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    user: bool = False
    regions: tuple[Region, ...] = ()

    @property
    def backends(self) -> tuple[str, ...]:
        """Those on which it can be seen."""
        if not self.about:
            return tuple(self.reasons)
        # Without exits, what is served in user space has a time, and the rest has not.
        return (VMX, SVM, PVM)

    def reason(self, backend: str) -> str | None:
        """Return the reason that the back end gives."""
        if backend == PVM:
            return None
        return self.reasons.get(backend) or ACCESS_REASONS[self.about["kind"]][backend]

    def exits(self, backend: str, count: int, ns: int) -> Exits:
        """Return so many exits of one vCPU, of so many ns each."""
        timed = backend != PVM
        return Exits(
            reason=self.reason(backend),
            isa=ISAS[backend],
            ns=(ns,) * count if timed else (),
            no_latency=0 if timed else count,
            user_ns=(ns,) * count if self.user else (),
            **self.about,
        )


def seen(
    *exits: Exits,
    backend: str = VMX,
    options: tuple[tuple[str, str], ...] = (),
    regions: tuple[Region, ...] = (),
    duration_s: float = 1.0,
    guest_ns: int = 0,
    guest: dict[str, Any] | None = None,
    kernel: str = "6.18.0",
    usage: HostUsage | None = None,
    **facts: Any,
) -> Snapshot:
    """Return a snapshot of one guest with its command line, its map and its host."""
    mapped_by = NameSource.QMP if regions else None
    about = {"vmm": "qemu", **(guest or {})}
    known = Guest(100, "alpha", options=options, regions=regions, mapped_by=mapped_by, **about)
    waited = any(group.wait_ns for group in exits)
    origin = Origin("host", kernel, backend, backend != PVM, HostFacts(**facts), waited)
    found = snapshot(*exits, origin=origin, duration_s=duration_s, guest_ns=guest_ns)
    return replace(found, guests=(known,), usage=usage or HostUsage())


def pio(port: int, access: Access = Access.READ, size: int = 1) -> dict[str, Any]:
    """Return what an access to a port is about."""
    return {"kind": PIO, "access": access, "address": port, "size": size}


def mmio(address: int, access: Access = Access.READ) -> dict[str, Any]:
    """Return what an access to a guest physical address is about."""
    return {"kind": MMIO, "access": access, "address": address, "size": 4}


def msr(number: int, access: Access = Access.WRITE) -> dict[str, Any]:
    """Return what an access to an MSR is about."""
    return {"kind": MSR, "access": access, "address": number}


UHCI = Region(PIO, 0xC040, 0xC05F, "uhci")
HDA = Region(MMIO, 0xFEBF0000, 0xFEBF3FFF, "intel-hda")
NVME = Region(MMIO, 0xFEB00000, 0xFEB01FFF, "nvme")
VFIO = Region(MMIO, 0xE0088000, 0xE0088FFF, "vfio-nvidia-bar0-88000-mirror-quirk")
MSIX = Region(MMIO, 0xFE002000, 0xFE00240F, "msix-table")
NIC = Region(MMIO, 0xFEBC0000, 0xFEBDFFFF, "e1000-mmio")

CASES: dict[str, Case] = {
    "pm-timer": Case(pio(0x608, size=4), user=True),
    "hpet": Case(mmio(0xFED000F0), user=True),
    "rtc": Case(pio(0x71), user=True),
    "pit": Case(pio(0x40)),
    "local-apic": Case(mmio(0xFEE000B0, Access.WRITE), {VMX: "APIC_ACCESS"}),
    "x2apic-msr": Case(msr(0x830)),
    "hyperv-msr": Case(msr(0x40000020, Access.READ)),
    "tsc-deadline": Case(msr(0x6E0)),
    "msr": Case(msr(0x79)),
    "pic": Case(pio(0x21)),
    "interrupts": Case(reasons={VMX: "EXTERNAL_INTERRUPT", SVM: "interrupt"}),
    "interrupt-window": Case(reasons={VMX: "INTERRUPT_WINDOW", SVM: "vintr"}),
    "virtio-notify": Case(pio(0xC050, Access.WRITE, 2), user=True),
    "virtio-user-notify": Case(pio(0xC050, Access.WRITE, 2), user=True),
    "disk": Case(pio(0x1F7), user=True),
    "nic": Case(mmio(0xFEBC0008), user=True, regions=(NIC,)),
    "display": Case(pio(0x3D4, Access.WRITE), user=True),
    "serial": Case(pio(0x3F8, Access.WRITE), user=True),
    "pci-config": Case(pio(0xCFC, size=4), user=True),
    "acpi-events": Case(pio(0x620), user=True),
    "debug-port": Case(pio(0xE9, Access.WRITE), user=True),
    "user-device": Case(mmio(0xD0000000), user=True),
    "slow-user-space": Case(pio(0x510), user=True),
    "cpuid": Case(reasons={VMX: "CPUID", SVM: "cpuid"}),
    "pause": Case(reasons={VMX: "PAUSE_INSTRUCTION", SVM: "pause"}),
    "halts": Case(reasons={VMX: "HLT", SVM: "hlt"}),
    "memory-faults": Case(reasons={VMX: "EPT_VIOLATION", SVM: "npf"}),
    "apic-acceleration": Case(reasons={VMX: "APIC_WRITE", SVM: "avic_incomplete_ipi"}),
    "control-registers": Case(reasons={VMX: "CR_ACCESS", SVM: "write_cr8"}),
    "rdtsc": Case(reasons={VMX: "RDTSC", SVM: "rdtscp"}),
    "hypercalls": Case(reasons={VMX: "VMCALL", SVM: "hypercall"}),
    "bus-lock": Case(reasons={VMX: "BUS_LOCK", SVM: "buslock"}, user=True),
    "nested": Case(reasons={VMX: "VMRESUME", SVM: "vmrun"}),
    "virtio-mmio": Case(mmio(0xFEB02E60), user=True),
    "usb": Case(pio(0xC042, size=2), user=True, regions=(UHCI,)),
    "audio": Case(mmio(0xFEBF0030), user=True, regions=(HDA,)),
    "nvme": Case(mmio(0xFEB01000, Access.WRITE), user=True, regions=(NVME,)),
    "passthrough": Case(mmio(0xE0088000), user=True, regions=(VFIO,)),
    "msix-table": Case(mmio(0xFE00200C, Access.WRITE), user=True, regions=(MSIX,)),
}


def enough_ns(name: str) -> int:
    """Return how long exits last that come just often enough and cost twice what they must."""
    known = rule(name)
    assert known
    return round(2e9 * known.least_share / known.min_rate) + 1
