"""How halts end, from `kvm_vcpu_wakeup` and `kvm_halt_poll_ns`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.halts import HALTS

HALT = Kind(22, "halt", "halt", prefix="halt ", digits=1)

VIEW = View(
    kind=HALT,
    tracepoints=(
        Tracepoint("kvm_halt_poll_ns", ("old", "new")),
        Tracepoint("kvm_vcpu_wakeup", ("ns", "waited")),
    ),
    ranges=HALTS,
    is_platform=False,
    needs_exits=True,
    is_default=False,
    help="halts by how they ended: polled, slept, or polled in vain; and the time polled",
)
