"""Hyper-V's hypercalls, from `kvm_hv_hypercall`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.hypercalls import HYPERV
from bpfexit.names.ranges import by_number

HV_HYPERCALL = Kind(6, "hv_hypercall", "hv_hypercall", prefix="hv hypercall ", digits=4)

VIEW = View(
    kind=HV_HYPERCALL,
    tracepoints=(Tracepoint("kvm_hv_hypercall", ("code",)),),
    ranges=by_number(HYPERV),
    is_platform=False,
    is_default=False,
    help="Hyper-V's hypercalls",
)
