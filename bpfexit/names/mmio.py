"""Guest physical addresses of PIIX4 (`pc`), ICH9 (`q35`) and microvm, as firmware places them.

The names are those of QEMU's `info mtree`, as in `names.ports`.
"""

from bpfexit.names.ranges import Ranges

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
