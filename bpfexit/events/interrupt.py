"""Interrupts of the host that exit, by vector: VMX alone has it, in the record of `kvm_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.names.vectors import LINUX_VECTORS

INTERRUPT = Kind(13, "interrupt", "interrupt", prefix="interrupt ", digits=2)

VIEW = View(
    kind=INTERRUPT,
    tracepoints=(),
    ranges=LINUX_VECTORS,
    is_platform=False,
    from_exit=("intr_info",),
    needs_exits=True,
    is_default=False,
    help="interrupts of the host by vector (VMX)",
)
