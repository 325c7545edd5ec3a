"""A real QEMU whose guest is a boot sector that reads clocks and the APIC page all the time."""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PM_TIMER = 0x608
VIRTIO_NOTIFY = 0xC050
APIC_VERSION = 0xFEE00030
"""Not the TPR: QEMU asks to be told of reads of that, where KVM does not virtualize it."""
APIC_EOI = 0xFEE000B0
HPET_COUNTER = 0xFED000F0

TIMER_READS = 12
VERSION_READS = 2
ROUNDS_PER_NOTIFY = 84
READS_PER_NOTIFY = TIMER_READS * ROUNDS_PER_NOTIFY
"""A round reads timer and APIC version so often, writes EOI once and reads the HPET once."""

MANY_VERSION_READS = TIMER_READS
"""So many a second that a busy machine has enough, too, where their rate is all that is known.

No more than there are of the timer, which cost more each: it stays what the guest pays most for.
"""

PATIENCE = 240
"""Intervals of half a second to wait for the firmware: it takes 3 s on an idle machine."""

DEBUG_PORT = 0xE9
"""The boot sector writes a byte to it when the firmware has come to its end."""

IMAGE_BYTES = 1 << 20
"""SeaBIOS reads nothing from a disk of a single sector."""

_ORIGIN = 0x7C00
_FLAT_CODE = 0x00CF9B000000FFFF
_FLAT_DATA = 0x00CF93000000FFFF

# 16-bit code: into protected mode, flat, with a GDT whose place is not known yet.
_ENTER = (
    "fa"  # cli
    f"e6{DEBUG_PORT:02x}"  # out DEBUG_PORT, al
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "0f0116{gdtr}"  # lgdt [gdtr]
    "0f20c0"  # mov eax, cr0
    "0c01"  # or al, 1
    "0f22c0"  # mov cr0, eax
    "ea{protected}0800"  # jmp 0x08:protected
)
_ENTER_BYTES = len(bytes.fromhex(_ENTER.format(gdtr="0000", protected="0000")))


def boot_sector(reads_timer: bool = True, version_reads: int = VERSION_READS) -> bytes:
    """Return the 512 bytes that a BIOS takes for bootable."""
    code = _protected(reads_timer, version_reads)
    gdt = _ENTER_BYTES + len(code)
    gdtr = gdt + 3 * 8
    enter = _ENTER.format(gdtr=_u16(_ORIGIN + gdtr), protected=_u16(_ORIGIN + _ENTER_BYTES))
    tables = struct.pack("<QQQHI", 0, _FLAT_CODE, _FLAT_DATA, 3 * 8 - 1, _ORIGIN + gdt)
    return (bytes.fromhex(enter) + code + tables).ljust(510, b"\0") + b"\x55\xaa"


def _protected(reads_timer: bool, version_reads: int) -> bytes:
    """Return the 32-bit code: rounds of accesses, then one notify, for ever."""
    timer = "ba" + _u32(PM_TIMER) + "ed" * TIMER_READS  # mov edx, PM_TIMER; in eax, dx
    a_round = bytes.fromhex(
        (timer if reads_timer else "")
        + ("a1" + _u32(APIC_VERSION)) * version_reads  # mov eax, [APIC_VERSION]
        + "31c0"  # xor eax, eax
        + "a3"
        + _u32(APIC_EOI)  # mov [APIC_EOI], eax
        + "a1"
        + _u32(HPET_COUNTER)  # mov eax, [HPET_COUNTER]
        + "4b"  # dec ebx
    )
    rounds = bytes.fromhex("bb" + _u32(ROUNDS_PER_NOTIFY)) + a_round + b"\x75"  # jnz to the round
    notify = "31c0" + "ba" + _u32(VIRTIO_NOTIFY) + "66ef"  # eax = 0; out dx, ax
    body = rounds + _back(len(a_round) + 2) + bytes.fromhex(notify) + b"\xeb"  # jmp to the rounds
    return bytes.fromhex("66b810008ed8") + body + _back(len(body) + 1)  # ax = ds = 0x10


def _back(distance: int) -> bytes:
    return struct.pack("<b", -distance)


def _u16(number: int) -> str:
    return number.to_bytes(2, "little").hex()


def _u32(number: int) -> str:
    return number.to_bytes(4, "little").hex()


@contextmanager
def running(
    folder: Path,
    name: str,
    *options: str,
    reads_timer: bool = True,
    version_reads: int = VERSION_READS,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run QEMU on KVM with two legacy virtio disks; port 0xc050 is the notify of the second.

    Without discard and write-zeroes, each has 0x40 ports: the second has those from 0xc040 on.
    """
    image, other = folder / "boot.img", folder / "other.img"
    image.write_bytes(boot_sector(reads_timer, version_reads).ljust(IMAGE_BYTES, b"\0"))
    other.write_bytes(bytes(IMAGE_BYTES))
    _console(folder).touch()
    disk = "virtio-blk-pci,disable-modern=on,discard=off,write-zeroes=off"
    command = [
        *("qemu-system-x86_64", "-name", name, "-accel", "kvm", "-machine", "pc", "-m", "64"),
        *("-nodefaults", "-display", "none", "-debugcon", f"file:{_console(folder)}"),
        *("-drive", f"file={image},format=raw,if=none,id=d0"),
        *("-drive", f"file={other},format=raw,if=none,id=d1"),
        *("-device", f"{disk},drive=d0,addr=5", "-device", f"{disk},drive=d1,addr=6"),
        *options,
    ]
    with subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


def until_booted(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the boot sector of the QEMU that has this folder runs."""
    while not _console(folder).stat().st_size:
        assert process.poll() is None, "QEMU has ended"
        time.sleep(0.05)


def _console(folder: Path) -> Path:
    """Return the file of what is written to the debug port."""
    return folder / "console"


def intervals(pid: int, notifies: int) -> list[dict[str, Any]]:
    """Count from the firmware on until the boot sector has notified so often."""
    top = [sys.executable, "-m", "bpfexit", "top", "-j", "-p", str(pid), "0.5", str(PATIENCE)]
    found: list[dict[str, Any]] = []
    with subprocess.Popen(top, stdout=subprocess.PIPE, text=True) as counting:
        assert counting.stdout
        for line in counting.stdout:
            found.append(json.loads(line))
            notifies -= sum(
                row["count"]
                for row in found[-1]["rows"]
                if row["kind"] == "pio" and row["address"] == VIRTIO_NOTIFY
            )
            if notifies <= 0:
                break
        counting.terminate()
    return found
