"""A guest whose exits say what they are for; it speaks as `bpfexit testguest --wait` does.

`python -m tests.testbed.viewed` executes each instruction of `WORK` a prime number of times. Debug
registers exit once between two other exits (KVM takes the intercept back until the next), so each
of their reads comes with a CPUID. With `many`, it executes CPUID at many
places; with `intel`, what `INTEL_WORK` has.
"""

import struct
import sys
from collections.abc import Mapping

from bpfexit.testguest.mix import CONTROL_PORT, LOCAL_APIC, parse_mix, work_of
from bpfexit.testguest.program import (
    CODE_SELECTOR,
    END,
    IDT,
    PAGE,
    Program,
    assemble,
    halt,
)
from tests.testbed.one_program import run_once

VMMCALL = b"\x0f\x01\xd9"
CPUID = b"\x0f\xa2"
UD_VECTOR = 6
PAGES = 173
MANY, MANY_TIMES = 307, 5
_REST = 64
"""At least as many bytes as the code of a program has beside its loops."""
_END = bytes([0xB0, END, 0xE6, CONTROL_PORT])  # mov al, END; out CONTROL_PORT, al
Work = Mapping[str, tuple[int, bytes]]
USER_PORT, USER_MMIO = 0x608, 0xD0000000


def _eax(value: int) -> bytes:
    return b"\xb8" + struct.pack("<I", value)  # mov eax, value


def _apic(register: int) -> bytes:
    return b"\xa1" + struct.pack("<I", LOCAL_APIC + register)  # mov eax, [register]


WORK = {
    "cpuid 0": (101, _eax(0) + CPUID),
    "cpuid kvm": (103, _eax(0x40000000) + CPUID),
    "hypercall 1": (109, _eax(1) + VMMCALL),
    "hypercall 5": (113, _eax(5) + VMMCALL),
    "apic read": (127, _apic(0x30)),
    "apic write": (131, b"\x31\xc0\xa3" + struct.pack("<I", LOCAL_APIC + 0xE0)),
    "user port": (137, b"\x66\xba" + struct.pack("<H", USER_PORT) + b"\xed"),
    "user mmio": (139, b"\xa1" + struct.pack("<I", USER_MMIO)),
    "cr4 read": (149, b"\x0f\x20\xe0"),
    "ud2": (157, b"\x0f\x0b"),
    "dr7 read": (163, b"\x0f\x21\xf8" + _eax(1) + CPUID),
    "hlt": (167, halt()),
}
"""How often, and the code."""

INTEL_WORK = {
    "cr4 write": (149, b"\x0f\x20\xe0\x83\xf0\x10\x0f\x22\xe0"),  # mov eax, cr4; xor PSE; back
    "ud2": (157, b"\x0f\x0b"),
    "cpuid": (101, CPUID),
}


def _loop(times: int, body: bytes) -> bytes:
    head = b"\xbe" + struct.pack("<I", times)  # mov esi, times
    # dec esi; jnz to the body, by a displacement of 32 bits
    return head + body + b"\x4e\x0f\x85" + struct.pack("<i", -len(body) - 7)


def _touch(address: int) -> bytes:
    """Return code that writes to each page from an address on."""
    body = b"\x89\x07\x81\xc7" + struct.pack("<I", PAGE)  # mov [edi], eax; add edi, PAGE
    return b"\xbf" + struct.pack("<I", address) + _loop(PAGES, body)  # mov edi, address


def _usual() -> Program:
    """Return what any guest of ours has: descriptor tables, a stack, counters."""
    return assemble(work_of(parse_mix("cpuid"), 1), 0)


def _loops(work: Work) -> bytes:
    return b"".join(_loop(times, body) for times, body in work.values())


def of_work(work: Work, pages: int = 0) -> Program:
    """Return a program that executes each code as often as said, writes to pages, and ends.

    It survives UD2.
    """
    usual = _usual()
    base = len(usual.image)
    code = _loops(work)
    at = base + -(-(len(code) + _REST) // PAGE) * PAGE
    code += (_touch(at) if pages else b"") + _END
    handler = base + len(code)
    code += b"\x83\x04\x24\x02\xcf"  # add dword [esp], 2: over ud2; iret
    image = bytearray(usual.image + code.ljust(at - base, b"\0") + bytes(pages * PAGE))
    gate = (handler & 0xFFFF, CODE_SELECTOR, 0x8E00, handler >> 16)
    struct.pack_into("<4H", image, IDT + 8 * UD_VECTOR, *gate)
    return Program(0, base, bytes(image), usual.steps)


def many_instructions() -> Program:
    """Return a program whose exits are at more instructions than have rows of their own."""
    return of_work({"cpuid": (MANY_TIMES, CPUID * MANY)})


def program() -> Program:
    """Return a program of all that there is to see on AMD's."""
    return of_work(WORK, PAGES)


def intel_program() -> Program:
    """Return one of what only Intel's hardware tells: writes to CR4, and exceptions."""
    return of_work(INTEL_WORK)


PROGRAMS = {"": program, "many": many_instructions, "intel": intel_program}

if __name__ == "__main__":
    run_once(PROGRAMS["".join(sys.argv[1:])]())
