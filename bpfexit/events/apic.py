"""Registers of the local APIC, from `kvm_apic`: by MMIO (xAPIC) and by MSR (x2APIC)."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.registers import APIC as APIC_REGISTERS

APIC = Kind(8, "apic", "apic", prefix="apic ", digits=3)

VIEW = View(
    kind=APIC,
    tracepoints=(Tracepoint("kvm_apic", ("rw", "reg")),),
    ranges=APIC_REGISTERS,
    is_platform=False,
    needs_exits=True,
    is_default=False,
    help="registers of the local APIC, by MMIO or MSR",
)
