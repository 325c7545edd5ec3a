"""What SEV-ES guests ask for, from `kvm_vmgexit_enter` (Linux 5.11)."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.ranges import by_number
from bpfexit.names.reason_tables import SVM as SVM_REASONS

VMGEXIT = Kind(17, "vmgexit", "vmgexit", prefix="vmgexit ", digits=3)

VIEW = View(
    kind=VMGEXIT,
    tracepoints=(Tracepoint("kvm_vmgexit_enter", ("exit_reason",)),),
    ranges=by_number(SVM_REASONS),
    is_platform=False,
    yields=True,
    needs_exits=True,
    is_default=False,
    help="what SEV-ES guests ask for",
)
