"""Interrupts that an exit ends with, from `kvm_inj_virq`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.vectors import LINUX_VECTORS

INJECTED = Kind(11, "injected", "injected", prefix="vector ", digits=2)

VIEW = View(
    kind=INJECTED,
    tracepoints=(Tracepoint("kvm_inj_virq", ("vector|irq",)),),
    ranges=LINUX_VECTORS,
    needs_exits=True,
    is_default=False,
    help="vectors of the interrupts injected at the end of exits",
)
