"""MSRs, from `kvm_msr`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.msrs import MSRS as NAMES

MSR = Kind(3, "msr", "msr", prefix="msr ")

VIEW = View(
    kind=MSR,
    tracepoints=(Tracepoint("kvm_msr", ("write", "ecx")),),
    ranges=NAMES,
    is_platform=False,  # an MSR is what it is, on each guest
    help="MSRs",
)
