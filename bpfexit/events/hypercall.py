"""KVM's own hypercalls, from `kvm_hypercall`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.hypercalls import KVM
from bpfexit.names.ranges import by_number

HYPERCALL = Kind(5, "hypercall", "hypercall", prefix="hypercall ", digits=2)

VIEW = View(
    kind=HYPERCALL,
    tracepoints=(Tracepoint("kvm_hypercall", ("nr",)),),
    ranges=by_number(KVM),
    is_platform=False,
    is_default=False,
    help="KVM's hypercalls",
)
