"""Kicks of ioeventfds, from `kvm_fast_mmio`: VMX, and SVM of later kernels."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.names.mmio import MEMORY

KICK = Kind(19, "kick", "kick", prefix="kick ", digits=8)

VIEW = View(
    kind=KICK,
    tracepoints=(),
    ranges=MEMORY,
    needs_exits=True,
    is_default=False,
    help="ioeventfd kicks by address",
)
