"""Exceptions that exit, by vector: from the record of `kvm_exit`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import View
from bpfexit.names.vectors import EXCEPTIONS

EXCEPTION = Kind(12, "exception", "exception", prefix="exception ", digits=2)

VIEW = View(
    kind=EXCEPTION,
    tracepoints=(),
    ranges=EXCEPTIONS,
    is_platform=False,
    from_exit=("intr_info",),
    needs_exits=True,
    is_default=False,
    help="exceptions by vector",
)
