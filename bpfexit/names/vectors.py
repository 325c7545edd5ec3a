"""Vectors of exceptions, and of the interrupts that Linux uses for itself on x86."""

from bpfexit.names.ranges import Ranges, by_number

EXCEPTION_NAMES = {
    0: "#DE divide",
    1: "#DB debug",
    2: "NMI",
    3: "#BP breakpoint",
    4: "#OF overflow",
    5: "#BR bound",
    6: "#UD invalid opcode",
    7: "#NM device not available",
    8: "#DF double fault",
    10: "#TS invalid TSS",
    11: "#NP not present",
    12: "#SS stack fault",
    13: "#GP general protection",
    14: "#PF page fault",
    16: "#MF floating point",
    17: "#AC alignment",
    18: "#MC machine check",
    19: "#XM SIMD",
    20: "#VE virtualization",
    21: "#CP control protection",
    28: "#HV hypervisor",
    29: "#VC VMM communication",
    30: "#SX security",
}
EXCEPTIONS: Ranges = by_number(EXCEPTION_NAMES)

LINUX_VECTORS: Ranges = by_number(
    {
        0xEC: "local timer",
        0xF0: "posted interrupt, nested",
        0xF1: "posted interrupt, wake-up",
        0xF2: "posted interrupt",
        0xF3: "hypervisor callback",
        0xF4: "deferred error",
        0xF6: "IRQ work",
        0xF7: "x86 platform",
        0xF8: "reboot",
        0xF9: "threshold",
        0xFA: "thermal",
        0xFB: "call function, single",
        0xFC: "call function",
        0xFD: "reschedule",
        0xFE: "error",
        0xFF: "spurious",
    }
)
"""`arch/x86/include/asm/irq_vectors.h`: those above the vectors of devices."""

_NMI, _EXCEPTION = 2, 3
_TYPES = {0: "interrupt", _NMI: "NMI", _EXCEPTION: "exception", 4: "software interrupt"}


def describe_event(event: int) -> str:
    """Return what was being delivered: its type is above bit 8, its vector below (EVENTINJ)."""
    kind, vector = event >> 8, event & 0xFF
    name = _TYPES.get(kind, f"type {kind}")
    if kind == _NMI:
        return name
    known = EXCEPTION_NAMES.get(vector) if kind == _EXCEPTION else None
    return f"{name} {known or f'{vector:#04x}'}"
