"""Reasons of KVM_RUN's return to user space: `KVM_EXIT_...` of `uapi/linux/kvm.h`, for x86."""

import errno

EXIT_MMIO = 6
ERROR = 0x10000
"""`USERSPACE_ERROR` of `bpf_programs/wire.h`: a return with an error, whose errno is added."""

REASONS = {
    0: "UNKNOWN",
    1: "EXCEPTION",
    2: "IO",
    3: "HYPERCALL",
    4: "DEBUG",
    5: "HLT",
    EXIT_MMIO: "MMIO",
    7: "IRQ_WINDOW_OPEN",
    8: "SHUTDOWN",
    9: "FAIL_ENTRY",
    10: "INTR (a signal)",
    11: "SET_TPR",
    12: "TPR_ACCESS",
    16: "NMI",
    17: "INTERNAL_ERROR",
    24: "SYSTEM_EVENT",
    26: "IOAPIC_EOI",
    27: "HYPERV",
    29: "X86_RDMSR",
    30: "X86_WRMSR",
    31: "DIRTY_RING_FULL",
    32: "AP_RESET_HOLD",
    33: "X86_BUS_LOCK",
    34: "XEN",
    37: "NOTIFY",
    39: "MEMORY_FAULT",
    40: "TDX",
}


def describe(reason: int) -> str | None:
    """Return the name of a reason, or of the error; None if it is not known."""
    if reason > ERROR:
        name = errno.errorcode.get(reason - ERROR, f"errno {reason - ERROR}")
        return f"error {name}"
    return REASONS.get(reason)
