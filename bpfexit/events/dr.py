"""Debug registers, from the record of `kvm_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View

DR = Kind(16, "dr", "dr", prefix="dr ", digits=1)

VIEW = View(
    kind=DR,
    tracepoints=(),
    is_platform=False,
    from_exit=("info1",),
    needs_exits=True,
    is_default=False,
    help="debug registers",
)
