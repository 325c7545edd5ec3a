"""Events that were being delivered to the guest as it exited: SVM, in the record of `kvm_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.names.vectors import describe_event

DELIVERED = Kind(14, "delivered", "delivered", prefix="delivering ", digits=3)

VIEW = View(
    kind=DELIVERED,
    tracepoints=(),
    describe=describe_event,
    is_platform=False,
    from_exit=("intr_info",),
    needs_exits=True,
    is_default=False,
    help="events whose delivery to the guest the exit broke off (SVM)",
)
