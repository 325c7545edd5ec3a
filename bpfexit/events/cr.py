"""Control registers, from `kvm_cr`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View

CR = Kind(15, "cr", "cr", prefix="cr ", digits=1)

VIEW = View(
    kind=CR,
    tracepoints=(Tracepoint("kvm_cr", ("rw", "cr")),),
    is_platform=False,
    needs_exits=True,
    is_default=False,
    help="control registers",
)
