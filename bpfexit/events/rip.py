"""Instructions of the guest that exit: from the record of `kvm_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.names.rips import describe_rip

RIP = Kind(20, "rip", "rip", prefix="rip ", digits=16)

VIEW = View(
    kind=RIP,
    tracepoints=(),
    describe=describe_rip,
    is_platform=False,
    from_exit=("guest_rip",),
    needs_exits=True,
    is_default=False,
    help="guest instructions that exit",
)
