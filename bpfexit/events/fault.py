"""Faults of guest memory by their error code, from `kvm_page_fault`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.faults import describe_fault

FAULT = Kind(10, "fault", "fault", prefix="fault ", digits=1)

VIEW = View(
    kind=FAULT,
    tracepoints=(Tracepoint("kvm_page_fault", ("error_code",)),),
    describe=describe_fault,
    is_platform=False,
    yields=True,
    needs_exits=True,
    is_default=False,
    help="page faults by error code; those for MMIO are under the MMIO address",
)
