"""A real QEMU whose guest is a boot sector that reads the ACPI PM timer all the time."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PM_TIMER = 0x608
VIRTIO_NOTIFY = 0xC050
READS_PER_NOTIFY = 1000
IMAGE_BYTES = 1 << 20
"""SeaBIOS reads nothing from a disk of a single sector."""

# 16-bit code: read the timer so many times, kick the virtio queue once, for ever.
_CODE = bytes.fromhex(
    "fa"  # cli
    "66b9"
    + READS_PER_NOTIFY.to_bytes(4, "little").hex()  # mov ecx, READS_PER_NOTIFY
    + "ba"
    + PM_TIMER.to_bytes(2, "little").hex()  # mov dx, PM_TIMER
    + "66ed"  # in eax, dx
    "6649"  # dec ecx
    "75fa"  # jnz to the in
    "ba"
    + VIRTIO_NOTIFY.to_bytes(2, "little").hex()  # mov dx, VIRTIO_NOTIFY
    + "31c0"  # xor ax, ax
    "ef"  # out dx, ax
    "ebe9"  # jmp to the mov ecx
)


def boot_sector() -> bytes:
    """Return the 512 bytes that a BIOS takes for bootable."""
    return _CODE.ljust(510, b"\0") + b"\x55\xaa"


@contextmanager
def running(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run QEMU on KVM with a legacy virtio disk, whose registers are at port 0xc040."""
    image = folder / "boot.img"
    image.write_bytes(boot_sector().ljust(IMAGE_BYTES, b"\0"))
    command = [
        *("qemu-system-x86_64", "-name", name, "-accel", "kvm", "-machine", "pc", "-m", "64"),
        *("-nodefaults", "-display", "none"),
        *("-drive", f"file={image},format=raw,if=none,id=d0"),
        *("-device", "virtio-blk-pci,drive=d0,disable-modern=on,addr=5"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()
