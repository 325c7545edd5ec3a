"""The guest's machine code: 32-bit protected mode, flat, no paging, made from its work.

One vCPU's part of the memory, from its base:

    0x0000  stop flag, rounds left, GDT, IDT, and the stack down from 0x1000
    0x1000  one 64-bit counter a step
    next    code, on pages of its own: a write near code flushes the pipeline on every exit

Registers: `esi` counts a step's exits down, `ebp` those to the next pause; the operations
may change all others. The rounds are counted in memory.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bpfexit.testguest.mix import CONTROL_PORT, LOCAL_APIC, STRING_BYTES, Step, Work

CODE_SELECTOR = 0x08
DATA_SELECTOR = 0x10
WAKE_VECTOR = 0x40

STOP = 0x00
"""Offset of the stop flag (4 bytes): 1 ends the guest after its current round or pause."""
ROUNDS = 0x08
GDT = 0x20
IDT = 0x100
STACK_TOP = 0x1000
COUNTERS = 0x1000
PAGE = 0x1000

GDT_LIMIT = 3 * 8 - 1
IDT_LIMIT = (WAKE_VECTOR + 1) * 8 - 1

PAUSE = 0
END = 1
"""The values that the guest writes to the control port."""

HALT_NS = 50_000
"""From the timer's start to a halt's wake-up, unless another is given. KVM's APIC bus ticks each
nanosecond."""

LATE_NS = 2_000_000
"""The same for a halt whose wake-up preceded it: longer than any handler runs."""

APIC_EOI = LOCAL_APIC + 0xB0
APIC_SPURIOUS = LOCAL_APIC + 0xF0
APIC_TIMER = LOCAL_APIC + 0x320
APIC_TIMER_START = LOCAL_APIC + 0x380
APIC_TIMER_DIVIDE = LOCAL_APIC + 0x3E0

_FLAT_CODE = 0x00CF9B000000FFFF
_FLAT_DATA = 0x00CF93000000FFFF
_INTERRUPT_GATE = 0x8E00


@dataclass(frozen=True)
class Program:
    """One vCPU's memory image, to be loaded at `base`, and its entry point."""

    base: int
    entry: int
    image: bytes
    steps: tuple[Step, ...]

    def counters(self, memory: bytes) -> list[int]:
        """Return the exits of each step so far, from this vCPU's memory."""
        return list(struct.unpack_from(f"<{len(self.steps)}Q", memory, COUNTERS))


@dataclass
class _Code:
    """Machine code as it grows, at an address."""

    origin: int
    data: bytearray = field(default_factory=bytearray)

    @property
    def here(self) -> int:
        return self.origin + len(self.data)

    def put(self, *parts: bytes) -> None:
        self.data += b"".join(parts)

    def branch(self, opcode: bytes, target: int = 0) -> int:
        """Add a branch with a 32-bit displacement; return its place for `land`."""
        self.put(opcode, _i32(target - (self.here + len(opcode) + 4)))
        return self.here

    def land(self, branch: int) -> None:
        """Make a branch lead here."""
        end = branch - self.origin
        self.data[end - 4 : end] = _i32(self.here - branch)


@dataclass(frozen=True)
class _Routines:
    """Addresses of what the loops branch to."""

    end: int
    pause: int
    wake: int


def assemble(
    work: Work, base: int, pause_every: int | None = None, halt_ns: int = HALT_NS
) -> Program:
    """Return the program that does the work at `base`, a multiple of the page size.

    With `pause_every` N it writes PAUSE to the control port after every N exits. A halt lasts
    `halt_ns`, at most 2**32 - 1.
    """
    origin = base + _whole_pages(COUNTERS + 8 * len(work.mix))
    code = _Code(origin)
    routines = _put_routines(code, base, pause_every)
    entry = code.here
    if pause_every:
        code.put(b"\xbd", _u32(pause_every))  # mov ebp, pause_every
    put_step = partial(
        _put_step, code, pause=routines.pause if pause_every else None, halt_ns=halt_ns
    )

    round_ = code.here
    _put_stop_check(code, base, routines.end)
    code.put(b"\x83\x2d", _u32(base + ROUNDS), b"\x01")  # sub dword [rounds], 1
    code.put(b"\x83\x1d", _u32(base + ROUNDS + 4), b"\x00")  # sbb dword [rounds+4], 0
    no_more = code.branch(b"\x0f\x82")  # jb rest
    for index, step in enumerate(work.mix):
        put_step(step, step.weight, base + COUNTERS + 8 * index)
    code.branch(b"\xe9", round_)  # jmp round
    code.land(no_more)
    for index, step in enumerate(work.mix):
        if work.rest[index]:
            put_step(step, work.rest[index], base + COUNTERS + 8 * index)
    code.branch(b"\xe9", routines.end)  # jmp end

    image = _head(work.rounds, routines.wake).ljust(origin - base, b"\0") + code.data
    return Program(base, entry, image.ljust(_whole_pages(len(image)), b"\0"), work.mix)


def _head(rounds: int, wake: int) -> bytes:
    head = bytearray(COUNTERS)
    struct.pack_into("<Q", head, ROUNDS, rounds)
    struct.pack_into("<3Q", head, GDT, 0, _FLAT_CODE, _FLAT_DATA)
    gate = (wake & 0xFFFF, CODE_SELECTOR, _INTERRUPT_GATE, wake >> 16)
    struct.pack_into("<4H", head, IDT + 8 * WAKE_VECTOR, *gate)
    return bytes(head)


def _put_routines(code: _Code, base: int, pause_every: int | None) -> _Routines:
    end = code.here
    code.put(b"\xb0", _u8(END), b"\xe6", _u8(CONTROL_PORT))  # mov al, END; out CONTROL_PORT, al
    code.put(b"\xeb\xfe")  # jmp $: the command never returns here

    pause = code.here
    code.put(b"\xbd", _u32(pause_every or 0))  # mov ebp, pause_every
    code.put(b"\xb0", _u8(PAUSE), b"\xe6", _u8(CONTROL_PORT))  # mov al, PAUSE; out CONTROL_PORT, al
    _put_stop_check(code, base, end)
    code.put(b"\xc3")  # ret

    # The timer's interrupt ends a halt. It starts the timer again, for the halt it came too early
    # for, and returns without iret, which KVM's emulator, and so PVM, has for real mode only. The
    # next interrupt may come right after `sti`, so nothing is held in a register there.
    wake = code.here
    code.put(_write_apic(APIC_EOI, 0))
    code.put(_write_apic(APIC_TIMER_START, LATE_NS))
    code.put(b"\xfb\xc2\x08\x00")  # sti; ret 8: the return address, then CS and EFLAGS
    return _Routines(end, pause, wake)


def _put_stop_check(code: _Code, base: int, end: int) -> None:
    code.put(b"\x83\x3d", _u32(base + STOP), b"\x00")  # cmp dword [stop], 0
    code.branch(b"\x0f\x85", end)  # jne end


def _put_step(
    code: _Code, step: Step, exits: int, counter: int, *, pause: int | None, halt_ns: int
) -> None:
    code.put(b"\xbe", _u32(exits))  # mov esi, exits
    again = code.here
    code.put(_instructions(step, halt_ns))
    code.put(b"\x83\x05", _u32(counter), b"\x01")  # add dword [counter], 1
    code.put(b"\x83\x15", _u32(counter + 4), b"\x00")  # adc dword [counter+4], 0
    if pause is not None:
        code.put(b"\x4d\x75\x05")  # dec ebp; jnz over the call
        code.branch(b"\xe8", pause)  # call pause
    back = again - (code.here + 3)
    code.put(b"\x4e\x75", struct.pack("<b", back))  # dec esi; jnz again


def _instructions(step: Step, halt_ns: int) -> bytes:
    if step.operation.name == "hlt":
        return halt(halt_ns)
    return _ENCODE[step.operation.name](step.address or 0)


def _u8(value: int) -> bytes:
    return struct.pack("<B", value)


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)


def _i32(value: int) -> bytes:
    return struct.pack("<i", value)


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _select(port: int) -> bytes:
    return b"\x66\xba" + struct.pack("<H", port)  # mov dx, port


def _string_read(port: int) -> bytes:
    buffer = b"\x89\xe7\x83\xef\x10"  # mov edi, esp; sub edi, 16: unused memory
    return buffer + b"\xb9" + _u32(STRING_BYTES) + _select(port) + b"\xf3\x6c"  # mov ecx; rep insb


def _mmio_read(address: int) -> bytes:
    return b"\xa1" + _u32(address)  # mov eax, [address]


def _mmio_write(address: int) -> bytes:
    return b"\x31\xc0\xa3" + _u32(address)  # xor eax, eax; mov [address], eax


def _msr_write(number: int) -> bytes:
    # mov ecx, number; xor eax, eax; xor edx, edx; wrmsr
    return b"\xb9" + _u32(number) + b"\x31\xc0\x31\xd2\x0f\x30"


def halt(ns: int = HALT_NS) -> bytes:
    """Start the timer, which is due after `ns`, `sti; hlt; cli`, stop the timer.

    An interrupt that is due at `sti` is to be held until after the next instruction, so that the
    wake-up cannot come before the halt and be lost. QEMU's TCG does lose it now and then, when an
    exit comes between the two; then the timer that the handler has started again ends the halt.
    """
    start = _write_apic(APIC_TIMER_START, ns)
    return start + b"\xfb\xf4\xfa" + _write_apic(APIC_TIMER_START, 0)


def _write_apic(register: int, value: int) -> bytes:
    return b"\xc7\x05" + _u32(register) + _u32(value)  # mov dword [register], value


_ENCODE: Mapping[str, Callable[[int], bytes]] = {
    "pio-read-kernel": lambda port: b"\xe4" + _u8(port),  # in al, port
    "pio-write-kernel": lambda port: b"\xb0\xff\xe6" + _u8(port),  # mov al, 0xff; out port, al
    "pio-read-user": lambda port: _select(port) + b"\xed",  # in eax, dx
    "pio-write-user": lambda port: _select(port) + b"\x66\xef",  # out dx, ax
    "pio-string-user": _string_read,
    "mmio-read-kernel": _mmio_read,
    "mmio-write-kernel": _mmio_write,
    "mmio-read-user": _mmio_read,
    "mmio-write-user": _mmio_write,
    "apic-read": _mmio_read,
    "cpuid": lambda _: b"\x31\xc0\x0f\xa2",  # xor eax, eax; cpuid
    "msr-read": lambda number: b"\xb9" + _u32(number) + b"\x0f\x32",  # mov ecx, number; rdmsr
    "msr-write": _msr_write,
}
"""The instructions of each operation but a halt, made from its address."""
