"""A guest on SVM that runs a nested guest (L2), and speaks as `bpfexit testguest --wait` does.

`python -m tests.testbed.nested SERVED REFLECTED` enters the L2 guest so many times. Those of the
first kind read a port that its own hypervisor (L1) leaves to KVM, and execute CPUID, which
L1 wants for itself; those of the second read a port that L1 wants for itself.
"""

import struct
import sys

from bpfexit.testguest.mix import CONTROL_PORT, parse_mix, work_of
from bpfexit.testguest.program import END, PAGE, Program, assemble
from tests.testbed.one_program import run_once

EFER, VM_HSAVE_PA = 0xC0000080, 0xC0010117
SVME = 1 << 12
PORT = 0x21

# Offsets in the VMCB and bits of its intercepts: AMD APM vol. 2, appendix B.
INTERCEPTS, IOPM, MSRPM, ASID = 0x0C, 0x40, 0x48, 0x58
SAVE = 0x400
ES, CS, SS, DS = (SAVE + 0x10 * number for number in range(4))
SAVED_EFER, CR0, DR7, DR6, RFLAGS, RIP = (
    SAVE + at for at in (0xD0, 0x158, 0x160, 0x168, 0x170, 0x178)
)
INTERCEPT_CPUID, INTERCEPT_IO, INTERCEPT_VMRUN = 1 << 18, 1 << 27, 1 << 32
FLAT_CODE, FLAT_DATA = 0xC9B, 0xC93

# Where things lie from the end of the usual program on, in pages.
CODE, L2, HSAVE, SERVED, REFLECTED, DIRECTORY, BITMAP, TOTAL = 0, 1, 2, 3, 4, 5, 6, 9


def vmcb(base: int, intercepts: int) -> bytes:
    """Return a VMCB for flat 32-bit code on the page L2, with the bitmap of ports all set."""
    image = bytearray(PAGE)
    struct.pack_into("<Q", image, INTERCEPTS, intercepts | INTERCEPT_VMRUN)
    struct.pack_into("<QQ", image, IOPM, base + BITMAP * PAGE, base + BITMAP * PAGE)
    struct.pack_into("<I", image, ASID, 1)
    for segment, kind in ((ES, FLAT_DATA), (CS, FLAT_CODE), (SS, FLAT_DATA), (DS, FLAT_DATA)):
        struct.pack_into("<HHIQ", image, segment, 8, kind, 0xFFFFFFFF, 0)
    for register, value in (
        (SAVED_EFER, SVME),
        (CR0, 0x11),
        (DR7, 0x400),
        (DR6, 0xFFFF0FF0),
        (RFLAGS, 2),
        (RIP, base + L2 * PAGE),
    ):
        struct.pack_into("<Q", image, register, value)
    return bytes(image)


def write_msr(number: int, value: int) -> bytes:
    """Return `mov ecx, number; mov eax, value; xor edx, edx; wrmsr`."""
    return struct.pack("<BIBI", 0xB9, number, 0xB8, value) + b"\x31\xd2\x0f\x30"


def paging(directory: int) -> bytes:
    """Return code that switches paging on, as VMRUN wants: 4 MiB pages, each at its own place."""
    control = ((3, directory), (4, 1 << 4), (0, 1 << 31 | 0x11))
    moves = (
        b"\xb8" + struct.pack("<I", value) + bytes([0x0F, 0x22, 0xC0 | number << 3])
        for number, value in control
    )
    return b"".join(moves)  # mov eax, value; mov crN, eax


def entries(address: int, start: int, times: int) -> bytes:
    """Return code that enters the guest of this VMCB so many times, at its start each time."""
    head = b"\xbe" + struct.pack("<I", times)  # mov esi, times
    body = b"\xc7\x05" + struct.pack("<II", address + RIP, start)  # mov dword [rip], start
    body += b"\xb8" + struct.pack("<I", address) + b"\x0f\x01\xd8"  # mov eax, address; vmrun
    body += b"\x4e"  # dec esi
    return head + body + b"\x75" + struct.pack("<b", -len(body) - 2)  # jnz to the body


def program(served: int, reflected: int) -> Program:
    """Return the whole: its head as any of ours, then the pages above."""
    usual = assemble(work_of(parse_mix("cpuid"), 1), 0)
    base = len(usual.image)
    start = base + L2 * PAGE
    code = paging(base + DIRECTORY * PAGE)
    code += write_msr(EFER, SVME) + write_msr(VM_HSAVE_PA, base + HSAVE * PAGE)
    code += entries(base + SERVED * PAGE, start, served)
    code += entries(base + REFLECTED * PAGE, start, reflected)
    code += bytes([0xB0, END, 0xE6, CONTROL_PORT])  # mov al, END; out CONTROL_PORT, al
    guest = bytes([0xE4, PORT, 0x0F, 0xA2])  # in al, PORT; cpuid
    pages = {
        CODE: code,
        L2: guest,
        SERVED: vmcb(base, INTERCEPT_CPUID),
        REFLECTED: vmcb(base, INTERCEPT_IO),
        DIRECTORY: struct.pack("<1024I", *(number << 22 | 0x83 for number in range(1024))),
    }
    image = bytearray(usual.image.ljust(base + TOTAL * PAGE, b"\0"))
    for page, content in pages.items():
        image[base + page * PAGE : base + page * PAGE + len(content)] = content
    image[base + BITMAP * PAGE :] = b"\xff" * (3 * PAGE)
    return Program(0, base, bytes(image), usual.steps)


if __name__ == "__main__":
    run_once(program(*map(int, sys.argv[1:])))
