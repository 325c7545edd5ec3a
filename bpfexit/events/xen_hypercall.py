"""Xen's hypercalls, from `kvm_xen_hypercall` (Linux 5.12)."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.hypercalls import XEN
from bpfexit.names.ranges import by_number

XEN_HYPERCALL = Kind(7, "xen_hypercall", "xen_hypercall", prefix="xen hypercall ", digits=2)

VIEW = View(
    kind=XEN_HYPERCALL,
    tracepoints=(Tracepoint("kvm_xen_hypercall", ("nr",)),),
    ranges=by_number(XEN),
    is_platform=False,
    is_default=False,
    help="Xen's hypercalls",
)
