"""Why KVM returned to user space, from `kvm_userspace_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.userspace_exits import describe

USERSPACE = Kind(9, "userspace", "userspace", prefix="userspace ", digits=2)

VIEW = View(
    kind=USERSPACE,
    tracepoints=(Tracepoint("kvm_userspace_exit", ("reason", "errno")),),
    describe=describe,
    is_platform=False,
    needs_exits=True,
    is_default=False,
    help="why KVM returned to user space",
)
