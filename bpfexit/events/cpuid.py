"""CPUID leaves, from `kvm_cpuid`."""

from bpfexit.events.kind import Kind
from bpfexit.events.view import Tracepoint, View
from bpfexit.names.cpuid import LEAVES

CPUID = Kind(4, "cpuid", "cpuid", prefix="cpuid ", digits=8)

VIEW = View(
    kind=CPUID,
    tracepoints=(Tracepoint("kvm_cpuid", ("function",)),),
    ranges=LEAVES,
    is_platform=False,
    is_default=False,
    help="CPUID leaves",
)
