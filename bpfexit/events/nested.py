"""Exits of nested guests (L2) by their code, from `kvm_nested_vmexit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View

NESTED = Kind(18, "nested", "nested", prefix="nested ", digits=3)

VIEW = View(
    kind=NESTED,
    tracepoints=(Tracepoint("kvm_nested_vmexit", ("exit_reason",)),),
    is_platform=False,
    needs_exits=True,
    is_default=False,
    help="exits of nested guests",
)
