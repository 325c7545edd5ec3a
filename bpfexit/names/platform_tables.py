"""What is where on an x86 platform, as QEMU, SeaBIOS and OVMF place it: data only.

Ports and guest physical addresses are those of PIIX4 (`pc`), ICH9 (`q35`) and
microvm. A name is the one that QEMU's `info mtree` has (`acpi-tmr`), without the
`kvm-` of what KVM itself serves. A register follows its device (`apic EOI`), in
the words of its manual. An MSR is named as in Linux, without `MSR_` and `IA32_`
(`TSC_DEADLINE`), those of Hyper-V and KVM with that in front (`HV_EOI`).
"""

Ranges = tuple[tuple[int, int, str], ...]
"""First, last, both inclusive, and the name; in order, without overlap."""

PORTS: Ranges = (
    (0x0000, 0x0007, "dma-chan"),
    (0x0008, 0x000F, "dma-cont"),
    (0x0020, 0x0021, "pic"),
    (0x0040, 0x0043, "pit"),
    (0x0060, 0x0060, "i8042-data"),
    (0x0061, 0x0061, "pcspk"),
    (0x0064, 0x0064, "i8042-cmd"),
    (0x0070, 0x0070, "rtc-index"),
    (0x0071, 0x0071, "rtc"),
    (0x007E, 0x007F, "kvmvapic"),
    (0x0080, 0x0080, "ioport80"),
    (0x0081, 0x0083, "dma-page"),
    (0x0087, 0x0087, "dma-page"),
    (0x0089, 0x008B, "dma-page"),
    (0x008F, 0x008F, "dma-page"),
    (0x0092, 0x0092, "port92"),
    (0x00A0, 0x00A1, "pic"),
    (0x00B2, 0x00B3, "apm-io"),
    (0x00C0, 0x00CF, "dma-chan"),
    (0x00D0, 0x00DF, "dma-cont"),
    (0x00E9, 0x00E9, "isa-debugcon"),
    (0x00F0, 0x00F0, "ioportF0"),
    (0x0170, 0x0177, "ide"),
    (0x01CE, 0x01D0, "vbe"),
    (0x01F0, 0x01F7, "ide"),
    (0x0278, 0x027F, "parallel"),
    (0x02E8, 0x02EF, "serial"),
    (0x02F8, 0x02FF, "serial"),
    (0x0376, 0x0376, "ide"),
    (0x0378, 0x037F, "parallel"),
    (0x03B0, 0x03DF, "vga"),
    (0x03E8, 0x03EF, "serial"),
    (0x03F0, 0x03F5, "fdc"),
    (0x03F6, 0x03F6, "ide"),
    (0x03F7, 0x03F7, "fdc"),
    (0x03F8, 0x03FF, "serial"),
    (0x0402, 0x0402, "isa-debugcon"),
    (0x04D0, 0x04D1, "elcr"),
    (0x0501, 0x0501, "isa-debug-exit"),
    (0x0505, 0x0505, "pvpanic"),
    (0x0510, 0x0511, "fwcfg"),
    (0x0514, 0x051B, "fwcfg.dma"),
    (0x0600, 0x0603, "acpi-evt"),
    (0x0604, 0x0605, "acpi-cnt"),
    (0x0608, 0x060B, "acpi-tmr"),
    (0x0620, 0x062F, "acpi-gpe0"),
    (0x0630, 0x0637, "acpi-smi"),
    (0x0660, 0x067F, "sm-tco"),
    (0x0700, 0x073F, "pm-smbus"),
    (0x0A00, 0x0A17, "acpi-mem-hotplug"),
    (0x0CC0, 0x0CD7, "acpi-pci-hotplug"),
    (0x0CD8, 0x0CF7, "acpi-cpu-hotplug"),
    (0x0CF8, 0x0CF8, "pci-conf-idx"),
    (0x0CF9, 0x0CF9, "reset-control"),
    (0x0CFA, 0x0CFB, "pci-conf-idx"),
    (0x0CFC, 0x0CFF, "pci-conf-data"),
    (0x5658, 0x5658, "vmport"),
    (0xAE00, 0xAE17, "acpi-pci-hotplug"),
    (0xAF00, 0xAF1F, "acpi-cpu-hotplug"),
    (0xAFE0, 0xAFE3, "acpi-gpe0"),
    # Where OVMF has the PIIX4's power management; SeaBIOS has it at 0x600.
    (0xB000, 0xB003, "acpi-evt"),
    (0xB004, 0xB005, "acpi-cnt"),
    (0xB008, 0xB00B, "acpi-tmr"),
)

_MICROVM_SLOTS = range(0xFEB00000, 0xFEB03000, 0x200)

MEMORY: Ranges = (
    (0x000A0000, 0x000BFFFF, "vga-lowmem"),
    (0xB0000000, 0xBFFFFFFF, "pcie-mmcfg-mmio"),
    (0xFEA00000, 0xFEA00003, "acpi-ged"),
    (0xFEA00200, 0xFEA00202, "acpi-ged-regs"),
    *((slot, slot + 0x1FF, "virtio-mmio") for slot in _MICROVM_SLOTS),
    (0xFEC00000, 0xFEC00FFF, "ioapic"),
    (0xFED00000, 0xFED003FF, "hpet"),
    (0xFED1C000, 0xFED1FFFF, "lpc-rcrb-mmio"),
    (0xFED40000, 0xFED44FFF, "tpm"),
    (0xFEE00000, 0xFEE00FFF, "apic"),
    (0xFEE01000, 0xFEEFFFFF, "apic-msi"),
)


def _singles(first: int, *names: str) -> Ranges:
    """Return ranges of one number each, in a row; none where the name is empty."""
    return tuple((at, at, name) for at, name in enumerate(names, first) if name)


_APIC: Ranges = tuple(
    (number << 4, (last << 4) + 15, name)
    for number, last, name in (
        (0x02, 0x02, "ID"),
        (0x03, 0x03, "version"),
        (0x08, 0x08, "TPR"),
        (0x09, 0x09, "APR"),
        (0x0A, 0x0A, "PPR"),
        (0x0B, 0x0B, "EOI"),
        (0x0C, 0x0C, "RRD"),
        (0x0D, 0x0D, "LDR"),
        (0x0E, 0x0E, "DFR"),
        (0x0F, 0x0F, "SVR"),
        (0x10, 0x17, "ISR"),
        (0x18, 0x1F, "TMR"),
        (0x20, 0x27, "IRR"),
        (0x28, 0x28, "ESR"),
        (0x2F, 0x2F, "LVT CMCI"),
        (0x30, 0x30, "ICR"),
        (0x31, 0x31, "ICR high"),
        (0x32, 0x32, "LVT timer"),
        (0x33, 0x33, "LVT thermal"),
        (0x34, 0x34, "LVT perf"),
        (0x35, 0x35, "LVT LINT0"),
        (0x36, 0x36, "LVT LINT1"),
        (0x37, 0x37, "LVT error"),
        (0x38, 0x38, "timer init"),
        (0x39, 0x39, "timer count"),
        (0x3E, 0x3E, "timer divide"),
    )
)
"""By offset in the page: a register every 16 bytes."""

_HPET: Ranges = (
    (0x00, 0x07, "capabilities"),
    (0x10, 0x17, "config"),
    (0x20, 0x27, "status"),
    (0xF0, 0xF7, "counter"),
    *(
        (0x100 + 0x20 * timer + offset, 0x107 + 0x20 * timer + offset, f"timer {timer} {name}")
        for timer in range(8)
        for offset, name in ((0, "config"), (8, "comparator"), (16, "route"))
    ),
)

_IOAPIC: Ranges = ((0x00, 0x03, "select"), (0x10, 0x13, "window"), (0x40, 0x43, "EOI"))
_PIC = _singles(0, "cmd", "data")
_PIT = _singles(0, "channel 0", "channel 1", "channel 2", "mode")
_SERIAL = _singles(0, "data", "IER", "IIR", "LCR", "MCR", "LSR", "MSR", "SCR")

_VIRTIO_PCI: Ranges = (
    (0x00, 0x03, "features"),
    (0x04, 0x07, "driver features"),
    (0x08, 0x0B, "queue address"),
    (0x0C, 0x0D, "queue size"),
    (0x0E, 0x0F, "queue select"),
    (0x10, 0x11, "notify"),
    (0x12, 0x12, "status"),
    (0x13, 0x13, "ISR"),
    (0x14, 0xFF, "config"),
)
"""The legacy I/O BAR; a modern device has a region for each of these."""

_VIRTIO_MMIO: Ranges = (
    (0x00, 0x0F, "identity"),
    (0x10, 0x27, "features"),
    (0x30, 0x33, "queue select"),
    (0x34, 0x3B, "queue size"),
    (0x44, 0x47, "queue ready"),
    (0x50, 0x53, "notify"),
    (0x60, 0x63, "ISR"),
    (0x64, 0x67, "interrupt ack"),
    (0x70, 0x73, "status"),
    (0x80, 0xA7, "queue address"),
    (0xFC, 0x1FF, "config"),
)

REGISTERS: dict[str, Ranges] = {
    "apic": _APIC,
    "apic-msi": _APIC,
    "hpet": _HPET,
    "ioapic": _IOAPIC,
    "pic": _PIC,
    "pit": _PIT,
    "serial": _SERIAL,
    "virtio-mmio": _VIRTIO_MMIO,
    "virtio-pci": _VIRTIO_PCI,
}
"""Of each device, what lies at which offset."""

_MTRR_FIXED: Ranges = (
    *_singles(0x250, "MTRRfix64K_00000"),
    *_singles(0x258, "MTRRfix16K_80000", "MTRRfix16K_A0000"),
    *_singles(0x268, *(f"MTRRfix4K_{base:X}" for base in range(0xC0000, 0x100000, 0x8000))),
)
_MTRR_PAIRS = tuple(f"MTRRphys{what}_{n}" for n in range(10) for what in ("Base", "Mask"))
_MC_BANKS = tuple(f"MC{n}_{what}" for n in range(29) for what in ("CTL", "STATUS", "ADDR", "MISC"))
_VMX = (
    *("VMX_BASIC", "VMX_PINBASED_CTLS", "VMX_PROCBASED_CTLS", "VMX_EXIT_CTLS", "VMX_ENTRY_CTLS"),
    *("VMX_MISC", "VMX_CR0_FIXED0", "VMX_CR0_FIXED1", "VMX_CR4_FIXED0", "VMX_CR4_FIXED1"),
    *("VMX_VMCS_ENUM", "VMX_PROCBASED_CTLS2", "VMX_EPT_VPID_CAP", "VMX_TRUE_PINBASED_CTLS"),
    *("VMX_TRUE_PROCBASED_CTLS", "VMX_TRUE_EXIT_CTLS", "VMX_TRUE_ENTRY_CTLS", "VMX_VMFUNC"),
)
_HV_TIMERS = tuple(f"HV_STIMER{n}_{what}" for n in range(4) for what in ("CONFIG", "COUNT"))
_F15H_PERF = tuple(f"F15H_PERF_{what}{n}" for n in range(6) for what in ("CTL", "CTR"))
_X2APIC: Ranges = tuple(
    (0x800 + (first >> 4), 0x800 + (last >> 4), f"x2apic {name}")
    for first, last, name in _APIC
    if name not in ("APR", "RRD", "DFR", "ICR high")
)

MSRS: Ranges = (
    *_singles(0x10, "TSC", "KVM_WALL_CLOCK", "KVM_SYSTEM_TIME"),
    *_singles(0x17, "PLATFORM_ID"),
    *_singles(0x1B, "APICBASE"),
    *_singles(0x2A, "EBL_CR_POWERON", "", "EBC_FREQUENCY_ID"),
    *_singles(0x34, "SMI_COUNT"),
    *_singles(0x3A, "FEAT_CTL", "TSC_ADJUST"),
    *_singles(0x48, "SPEC_CTRL", "PRED_CMD"),
    *_singles(0x4E, "PPIN_CTL", "PPIN"),
    *_singles(0x79, "UCODE_WRITE"),
    *_singles(0x8B, "UCODE_REV"),
    *_singles(0x9E, "SMBASE"),
    *_singles(0xC1, *(f"PMC{n}" for n in range(8))),
    *_singles(0xCD, "FSB_FREQ", "PLATFORM_INFO", "CORE_CAPS"),
    *_singles(0xE1, "UMWAIT_CONTROL", "PKG_CST_CONFIG_CONTROL"),
    *_singles(0xE7, "MPERF", "APERF"),
    *_singles(0xFE, "MTRRcap"),
    *_singles(0x10A, "ARCH_CAPABILITIES", "FLUSH_CMD"),
    *_singles(0x11E, "BBL_CR_CTL3"),
    *_singles(0x122, "TSX_CTRL", "MCU_OPT_CTRL"),
    *_singles(0x140, "MISC_FEATURES_ENABLES"),
    *_singles(0x174, "SYSENTER_CS", "SYSENTER_ESP", "SYSENTER_EIP"),
    *_singles(0x179, "MCG_CAP", "MCG_STATUS", "MCG_CTL"),
    *_singles(0x186, *(f"PERFEVTSEL{n}" for n in range(8))),
    *_singles(0x198, "PERF_STATUS", "PERF_CTL"),
    *_singles(0x19A, "THERM_CONTROL", "THERM_INTERRUPT", "THERM_STATUS"),
    *_singles(0x1A0, "MISC_ENABLE"),
    *_singles(0x1A2, "TEMPERATURE_TARGET"),
    *_singles(0x1A4, "MISC_FEATURE_CONTROL"),
    *_singles(0x1A6, "OFFCORE_RSP_0", "OFFCORE_RSP_1"),
    *_singles(0x1AA, "MISC_PWR_MGMT"),
    *_singles(0x1AD, "TURBO_RATIO_LIMIT"),
    *_singles(0x1B0, "ENERGY_PERF_BIAS", "PACKAGE_THERM_STATUS", "PACKAGE_THERM_INTERRUPT"),
    *_singles(0x1C4, "XFD", "XFD_ERR"),
    *_singles(0x1C8, "LBR_SELECT", "LBR_TOS"),
    *_singles(0x1D9, "DEBUGCTL", "", "LASTBRANCHFROMIP", "LASTBRANCHTOIP"),
    *_singles(0x1DD, "LASTINTFROMIP", "LASTINTTOIP"),
    *_singles(0x1FC, "POWER_CTL"),
    *_singles(0x200, *_MTRR_PAIRS),
    *_MTRR_FIXED,
    *_singles(0x277, "CR_PAT"),
    (0x280, 0x29C, "MCx_CTL2"),
    *_singles(0x2FF, "MTRRdefType"),
    *_singles(0x309, *(f"CORE_PERF_FIXED_CTR{n}" for n in range(4))),
    *_singles(0x345, "PERF_CAPABILITIES"),
    *_singles(0x38D, "CORE_PERF_FIXED_CTR_CTRL", "CORE_PERF_GLOBAL_STATUS"),
    *_singles(0x38F, "CORE_PERF_GLOBAL_CTRL", "CORE_PERF_GLOBAL_OVF_CTRL"),
    *_singles(0x3F1, "PEBS_ENABLE", "PEBS_DATA_CFG"),
    *_singles(0x3F6, "PEBS_LD_LAT_THRESHOLD", "PEBS_FRONTEND"),
    *_singles(0x400, *_MC_BANKS),
    *_singles(0x480, *_VMX),
    *_singles(0x4C1, *(f"PMC{n} full" for n in range(8))),
    *_singles(0x4D0, "MCG_EXT_CTL"),
    *_singles(0x560, "RTIT_OUTPUT_BASE", "RTIT_OUTPUT_MASK"),
    *_singles(0x570, "RTIT_CTL", "RTIT_STATUS", "RTIT_CR3_MATCH"),
    *_singles(0x600, "DS_AREA"),
    *_singles(0x606, "RAPL_POWER_UNIT"),
    *_singles(0x610, "PKG_POWER_LIMIT", "PKG_ENERGY_STATUS"),
    *_singles(0x619, "DRAM_ENERGY_STATUS"),
    *_singles(0x639, "PP0_ENERGY_STATUS"),
    *_singles(0x641, "PP1_ENERGY_STATUS"),
    *_singles(0x64E, "PPERF"),
    *_singles(0x6A0, "U_CET", "", "S_CET"),
    *_singles(0x6A4, "PL0_SSP", "PL1_SSP", "PL2_SSP", "PL3_SSP", "INT_SSP_TAB"),
    *_singles(0x6E0, "TSC_DEADLINE"),
    *_singles(0x770, "PM_ENABLE", "HWP_CAPABILITIES", "HWP_REQUEST_PKG", "HWP_INTERRUPT"),
    *_singles(0x774, "HWP_REQUEST", "", "", "HWP_STATUS"),
    *_X2APIC,
    *_singles(0x83F, "x2apic self IPI"),
    *_singles(0xD90, "BNDCFGS"),
    *_singles(0xDA0, "XSS"),
    *_singles(0x40000000, "HV_GUEST_OS_ID", "HV_HYPERCALL", "HV_VP_INDEX", "HV_RESET"),
    *_singles(0x40000010, "HV_VP_RUNTIME"),
    *_singles(0x40000020, "HV_TIME_REF_COUNT", "HV_REFERENCE_TSC"),
    *_singles(0x40000022, "HV_TSC_FREQUENCY", "HV_APIC_FREQUENCY"),
    *_singles(0x40000070, "HV_EOI", "HV_ICR", "HV_TPR", "HV_VP_ASSIST_PAGE"),
    *_singles(0x40000080, "HV_SCONTROL", "HV_SVERSION", "HV_SIEFP", "HV_SIMP", "HV_EOM"),
    *_singles(0x40000090, *(f"HV_SINT{n}" for n in range(16))),
    *_singles(0x400000B0, *_HV_TIMERS),
    *_singles(0x400000F0, "HV_GUEST_IDLE", "HV_SYNDBG_CONTROL", "HV_SYNDBG_STATUS"),
    *_singles(0x400000F3, "HV_SYNDBG_SEND_BUFFER", "HV_SYNDBG_RECV_BUFFER"),
    *_singles(0x400000F5, "HV_SYNDBG_PENDING_BUFFER"),
    *_singles(0x400000FF, "HV_SYNDBG_OPTIONS"),
    *_singles(0x40000100, *(f"HV_CRASH_P{n}" for n in range(5)), "HV_CRASH_CTL"),
    *_singles(0x40000106, "HV_REENLIGHTENMENT_CONTROL", "HV_TSC_EMULATION_CONTROL"),
    *_singles(0x40000108, "HV_TSC_EMULATION_STATUS"),
    *_singles(0x40000118, "HV_TSC_INVARIANT_CONTROL"),
    *_singles(0x4B564D00, "KVM_WALL_CLOCK_NEW", "KVM_SYSTEM_TIME_NEW", "KVM_ASYNC_PF_EN"),
    *_singles(0x4B564D03, "KVM_STEAL_TIME", "KVM_PV_EOI_EN", "KVM_POLL_CONTROL"),
    *_singles(0x4B564D06, "KVM_ASYNC_PF_INT", "KVM_ASYNC_PF_ACK", "KVM_MIGRATION_CONTROL"),
    *_singles(0xC0000080, "EFER", "STAR", "LSTAR", "CSTAR", "SYSCALL_MASK"),
    *_singles(0xC00000E7, "MPERF_RO", "APERF_RO", "F17H_IRPERF"),
    *_singles(0xC0000100, "FS_BASE", "GS_BASE", "KERNEL_GS_BASE", "TSC_AUX"),
    *_singles(0xC0000104, "AMD64_TSC_RATIO"),
    *_singles(0xC0000300, "AMD64_PERF_CNTR_GLOBAL_STATUS", "AMD64_PERF_CNTR_GLOBAL_CTL"),
    *_singles(0xC0000302, "AMD64_PERF_CNTR_GLOBAL_STATUS_CLR"),
    *_singles(0xC0010000, *(f"K7_EVNTSEL{n}" for n in range(4))),
    *_singles(0xC0010004, *(f"K7_PERFCTR{n}" for n in range(4))),
    *_singles(0xC0010010, "AMD64_SYSCFG"),
    *_singles(0xC0010015, "K7_HWCR"),
    *_singles(0xC001001A, "K8_TOP_MEM1", "K7_CLK_CTL", "", "K8_TOP_MEM2"),
    *_singles(0xC001001F, "AMD64_NB_CFG", "AMD64_PATCH_LOADER"),
    *_singles(0xC0010055, "K8_INT_PENDING_MSG"),
    *_singles(0xC0010058, "FAM10H_MMIO_CONF_BASE"),
    *_singles(0xC0010061, "AMD_PSTATE_CUR_LIMIT", "AMD_PERF_CTL", "AMD_PERF_STATUS"),
    *_singles(0xC0010064, *(f"AMD_PSTATE_DEF_{n}" for n in range(8))),
    *_singles(0xC0010112, "K8_TSEG_ADDR", "K8_TSEG_MASK", "VM_CR", "VM_IGNNE"),
    *_singles(0xC0010117, "VM_HSAVE_PA"),
    *_singles(0xC001011F, "AMD64_VIRT_SPEC_CTRL"),
    *_singles(0xC0010130, "AMD64_SEV_ES_GHCB", "AMD64_SEV"),
    *_singles(0xC0010140, "AMD64_OSVW_ID_LENGTH", "AMD64_OSVW_STATUS"),
    *_singles(0xC0010200, *_F15H_PERF),
    *_singles(0xC0010280, "F15H_PTSC"),
    *_singles(0xC0011004, "AMD64_CPUID_FN_1"),
    *_singles(0xC001100C, "FAM10H_NODE_ID"),
    *_singles(0xC0011020, "AMD64_LS_CFG", "F15H_IC_CFG", "AMD64_DC_CFG"),
    *_singles(0xC0011029, "AMD64_DE_CFG", "AMD64_BU_CFG2"),
    *_singles(0xC0011030, "AMD64_IBSFETCHCTL", "AMD64_IBSFETCHLINAD", "AMD64_IBSFETCHPHYSAD"),
    *_singles(0xC0011033, "AMD64_IBSOPCTL", "AMD64_IBSOPRIP", "AMD64_IBSOPDATA"),
)
