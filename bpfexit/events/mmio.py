"""MMIO addresses, from `kvm_mmio` and, for ioeventfd kicks on VMX, `kvm_fast_mmio`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.mmio import MEMORY

MMIO = Kind(2, "mmio", "mmio")

VIEW = View(
    kind=MMIO,
    tracepoints=(
        Tracepoint("kvm_mmio", ("type", "len", "gpa")),
        Tracepoint("kvm_fast_mmio", ("gpa",)),
    ),
    ranges=MEMORY,
    help="MMIO addresses",
)
