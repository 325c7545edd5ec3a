"""I/O ports, from `kvm_pio`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.ports import PORTS

PIO = Kind(1, "pio", "port", digits=4)

VIEW = View(
    kind=PIO,
    tracepoints=(Tracepoint("kvm_pio", ("rw", "port", "size")),),
    ranges=PORTS,
    help="I/O ports",
)
