"""Hypercalls by number: KVM's own, Hyper-V's and Xen's.

They are those of `uapi/linux/kvm_para.h`, of Hyper-V's TLFS and of Xen's `public/xen.h`.
"""

KVM = {
    1: "VAPIC_POLL_IRQ",
    5: "KICK_CPU",
    9: "CLOCK_PAIRING",
    10: "SEND_IPI",
    11: "SCHED_YIELD",
    12: "MAP_GPA_RANGE",
}

HYPERV = {
    0x0002: "HvFlushVirtualAddressSpace",
    0x0003: "HvFlushVirtualAddressList",
    0x0008: "HvNotifyLongSpinWait",
    0x000B: "HvSendSyntheticClusterIpi",
    0x0013: "HvFlushVirtualAddressSpaceEx",
    0x0014: "HvFlushVirtualAddressListEx",
    0x0015: "HvSendSyntheticClusterIpiEx",
    0x005C: "HvPostMessage",
    0x005D: "HvSignalEvent",
}

XEN = {
    12: "memory_op",
    15: "set_timer_op",
    17: "xen_version",
    18: "console_io",
    20: "grant_table_op",
    21: "vm_assist",
    24: "vcpu_op",
    28: "xsm_op",
    29: "sched_op",
    32: "event_channel_op",
    33: "physdev_op",
    34: "hvm_op",
}
