"""Hypercalls by number: KVM's own, of `uapi/linux/kvm_para.h`, and Hyper-V's, of its TLFS."""

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
