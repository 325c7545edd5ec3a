"""Classes of exit reasons: one short name for what VMX and SVM name differently."""

OTHER = "other"
MMIO_TARGET = "mmio"

_FAULTS = frozenset({"EPT_VIOLATION", "EPT_MISCONFIG", "npf"})
"""Reasons of faults on guest memory; an access to MMIO has them, too."""

_REASONS: dict[str, str] = {
    "io": "IO_INSTRUCTION io",
    "mmio": "APIC_ACCESS APIC_WRITE EOI_INDUCED TPR_BELOW_THRESHOLD avic_unaccelerated_access"
    " avic_incomplete_ipi read_cr8 write_cr8 write_cr8_trap vmgexit_mmio_read vmgexit_mmio_write",
    "msr": "MSR_READ MSR_WRITE MSR_READ_IMM MSR_WRITE_IMM msr write_efer_trap",
    "cpuid": "CPUID cpuid",
    "halt": "HLT hlt idle-halt MWAIT_INSTRUCTION MONITOR_INSTRUCTION mwait monitor UMWAIT TPAUSE"
    " vmgexit_ap_hlt_loop",
    "interrupt": "EXTERNAL_INTERRUPT INTERRUPT_WINDOW NMI_WINDOW PREEMPTION_TIMER INIT_SIGNAL"
    " SIPI_SIGNAL interrupt nmi smi init vintr iret vmgexit_nmi_complete INTERRUPT",
    "fault": "EPT_VIOLATION EPT_MISCONFIG npf EXCEPTION_NMI TRIPLE_FAULT PML_FULL shutdown"
    " MCE_DURING_VMENTRY",
    "hypercall": "VMCALL hypercall TDCALL vmgexit vmgexit_page_state_change vmgexit_guest_request"
    " vmgexit_ext_guest_request vmgexit_ap_creation vmgexit_ap_jump_table"
    " vmgexit_hypervisor_feature HYPERCALL",
    "pause": "PAUSE_INSTRUCTION pause",
    "nested": "VMCLEAR VMLAUNCH VMPTRLD VMPTRST VMREAD VMRESUME VMWRITE VMOFF VMON INVEPT INVVPID"
    " VMFUNC vmrun vmload vmsave stgi clgi skinit invlpga",
}
_CLASS_OF: dict[str, str] = {
    reason: name for name, reasons in _REASONS.items() for reason in reasons.split()
}
CLASSES: tuple[str, ...] = (*_REASONS, OTHER)
"""Every class that `reason_class` may return."""


def reason_class(reason: str, target: str = "") -> str:
    """Return the class of a reason; `target` is the name of the kind that the exit accessed.

    A memory fault with an access to MMIO is `mmio`. Exceptions on SVM end in ` excp`. A reason that
    is in no table is `other`.
    """
    if target == MMIO_TARGET and reason in _FAULTS:
        return MMIO_TARGET
    if reason.endswith(" excp"):
        return "fault"
    return _CLASS_OF.get(reason, OTHER)
