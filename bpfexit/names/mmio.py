"""Guest physical addresses of PIIX4 (`pc`), ICH9 (`q35`) and microvm, as firmware places them.

The names are those of QEMU's `info mtree`, as in `names.ports`. Other VMMs have their own layouts,
with the same names.
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

_INTERRUPTS: Ranges = (
    (0xFEC00000, 0xFEC00FFF, "ioapic"),
    (0xFEE00000, 0xFEE00FFF, "apic"),
    (0xFEE01000, 0xFEEFFFFF, "apic-msi"),
)

_FIRECRACKER_SLOTS = tuple(range(0xC0001000, 0xC0100000, 0x1000))
_OLD_FIRECRACKER_SLOTS = tuple(range(0xD0001000, 0xD0100000, 0x1000))

MEMORY_OF: dict[str, Ranges] = {
    "firecracker": (
        (0xC0000000, 0xC0000FFF, "boot-timer"),
        *((slot, slot + 0xFFF, "virtio-mmio") for slot in _FIRECRACKER_SLOTS),
        (0xD0000000, 0xD0000FFF, "boot-timer"),
        *((slot, slot + 0xFFF, "virtio-mmio") for slot in _OLD_FIRECRACKER_SLOTS),
        (0xEEC00000, 0xFEBFFFFF, "pcie-mmcfg-mmio"),
        *_INTERRUPTS,
    ),
    "cloud-hypervisor": ((0xE8000000, 0xF7FFFFFF, "pcie-mmcfg-mmio"), *_INTERRUPTS),
    "crosvm": _INTERRUPTS,
}
"""By VMM. Firecracker gives each device a page, from the second one on: of the last gigabyte
below 4 GiB, or of the last 768 MiB in older versions."""
