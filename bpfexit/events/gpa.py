"""Faults of guest memory by address, in ranges of 1 GiB, from `kvm_page_fault`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View

GPA = Kind(21, "gpa", "gpa", prefix="gpa ", digits=11)

VIEW = View(
    kind=GPA,
    tracepoints=(Tracepoint("kvm_page_fault", ("error_code", "fault_address")),),
    is_platform=False,
    yields=True,
    needs_exits=True,
    is_default=False,
    file="fault",
    help="page faults by guest physical address, in ranges of 1 GiB",
)
