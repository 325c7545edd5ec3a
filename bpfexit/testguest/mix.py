"""The exits the guest can take, and mixes of them.

An operation is one instruction that causes exactly one exit on VMX and SVM; its note names
further exits. A mix is a round of operations with weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from bpfexit.errors import UsageError

CONTROL_PORT = 0xF4
"""The port through which the guest signals a pause or its end. Never counted."""

MEMORY_LIMIT = 16 << 20
"""Maximum size of the guest's memory, from address 0; MMIO begins above."""

IOAPIC = 0xFEC00000
LOCAL_APIC = 0xFEE00000

STRING_BYTES = 5
"""Bytes that one `rep insb` reads."""

SMOOTH_ROUND = 256
"""Exits in a round of a mix of one step: enough to hide the loop's cost, and the maximum that a
stop waits for."""

ENDLESS = (1 << 64) - 1
"""More rounds than any guest completes."""

MAX_WEIGHT = (1 << 32) - 1
"""The guest counts a step's exits down in a 32-bit register."""

# Those of KVM's interrupt controllers (arch/x86/kvm/i8259.c, ioapic.c), the local APIC's page,
# and the pages that VMX reserves below the BIOS (KVM_SET_TSS_ADDR, the identity map).
_KERNEL_PORTS = (range(0x20, 0x22), range(0xA0, 0xA2), range(0x4D0, 0x4D2))
_CONTROL_PORTS = range(CONTROL_PORT, CONTROL_PORT + 1)
_TAKEN_MEMORY = (
    range(MEMORY_LIMIT),
    range(IOAPIC, IOAPIC + 0x1000),
    range(LOCAL_APIC, LOCAL_APIC + 0x1000),
    range(0xFFFBC000, 0xFFFC0000),
)


@dataclass(frozen=True)
class Operation:
    """One kind of exit.

    `address` is a port, a guest-physical address or an MSR, `size` the bytes of one access,
    `instruction` a template with the address in it.
    """

    name: str
    instruction: str
    kind: Literal["pio", "mmio", "msr"] | None
    access: Literal["read", "write"] | None
    address: int | None
    size: int | None
    served: Literal["kernel", "user"]
    note: str = ""

    @property
    def movable(self) -> bool:
        """Whether a mix may change its address: only for accesses that the command serves."""
        return self.served == "user"


@dataclass(frozen=True)
class Step:
    """Exits of one operation at one address, `weight` per round."""

    operation: Operation
    address: int | None
    weight: int

    @property
    def instruction(self) -> str:
        """The instruction that exits, in Intel's notation."""
        return self.operation.instruction.format(address=self.address)


Mix = tuple[Step, ...]


@dataclass(frozen=True)
class Work:
    """The work of each vCPU: whole rounds of a mix, then a part of one."""

    mix: Mix
    rounds: int
    rest: tuple[int, ...]
    """Exits of each step after the last whole round."""


_CATALOGUE = (
    Operation("pio-read-kernel", "in al, {address:#x}", "pio", "read", 0x21, 1, "kernel", "PIC"),
    Operation("pio-write-kernel", "out {address:#x}, al", "pio", "write", 0x21, 1, "kernel", "PIC"),
    Operation("pio-read-user", "in eax, {address:#x}", "pio", "read", 0x608, 4, "user",
              "QEMU's address of the ACPI PM timer"),
    Operation("pio-write-user", "out {address:#x}, ax", "pio", "write", 0xC050, 2, "user",
              "QEMU's address of a virtio notify"),
    Operation("pio-string-user", "rep insb {address:#x}", "pio", "read", 0xC060, 1, "user",
              f"one access of {STRING_BYTES} x 1 byte; SVM may exit once more to finish it"),
    Operation("mmio-read-kernel", "mov eax, [{address:#x}]", "mmio", "read", IOAPIC + 0x10, 4,
              "kernel", "IOAPIC window"),
    Operation("mmio-write-kernel", "mov [{address:#x}], eax", "mmio", "write", IOAPIC, 4,
              "kernel", "IOAPIC select"),
    Operation("mmio-read-user", "mov eax, [{address:#x}]", "mmio", "read", 0xD0000000, 4, "user"),
    Operation("mmio-write-user", "mov [{address:#x}], eax", "mmio", "write", 0xD0000004, 4, "user"),
    Operation("apic-read", "mov eax, [{address:#x}]", "mmio", "read", LOCAL_APIC + 0x30, 4,
              "kernel", "local APIC version; no exit with APICv or AVIC"),
    Operation("cpuid", "cpuid", None, None, None, None, "kernel", "leaf 0"),
    Operation("msr-read", "rdmsr {address:#x}", "msr", "read", 0x1A0, None, "kernel",
              "IA32_MISC_ENABLE"),
    Operation("msr-write", "wrmsr {address:#x}", "msr", "write", 0x79, None, "kernel",
              "IA32_BIOS_UPDT_TRIG, ignored by KVM"),
    Operation("hlt", "hlt", None, None, None, None, "kernel",
              "also: writes to the local APIC's timer and EOI, and wake-ups by interrupts"),
)  # fmt: skip

OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in _CATALOGUE}

MIXES: Mapping[str, str] = {
    "clock": "pio-read-user=1000,pio-write-user=1,apic-read=20",
    "pio": "pio-read-kernel=1",
    "all": ",".join(f"{name}=1" for name in OPERATIONS),
}
"""Named mixes: a guest that reads the ACPI PM timer as its clock; the cheapest exit alone;
every operation."""


def parse_mix(text: str) -> Mix:
    """Return a named mix, or that of `OP[@ADDRESS][=WEIGHT],...`."""
    return tuple(_parse_step(part.strip()) for part in MIXES.get(text, text).split(","))


def total(mix: Mix) -> int:
    """Return the exits of one round."""
    return sum(step.weight for step in mix)


def work_of(mix: Mix, exits: int | None) -> Work:
    """Return the work of exactly `exits` exits, or of endless rounds."""
    if len(mix) == 1:
        mix = (Step(mix[0].operation, mix[0].address, SMOOTH_ROUND),)
    if exits is None:
        return Work(mix, ENDLESS, (0,) * len(mix))
    rounds, left = divmod(exits, total(mix))
    return Work(mix, rounds, tuple(_shares(mix, left)))


def _shares(mix: Mix, left: int) -> Iterator[int]:
    for step in mix:
        share = min(step.weight, left)
        left -= share
        yield share


def _parse_step(text: str) -> Step:
    address_text, _, weight = text.partition("=")
    name, _, address = address_text.partition("@")
    operation = _find(name)
    if not address:
        return Step(operation, operation.address, _parse_weight(weight or "1", text))
    if not operation.movable:
        raise UsageError(f"{name} takes no address: only operations that the command serves do")
    moved = Step(operation, _parse_number(address, text), _parse_weight(weight or "1", text))
    _check_address(moved)
    return moved


def _find(name: str) -> Operation:
    if name in OPERATIONS:
        return OPERATIONS[name]
    if name in MIXES:
        raise UsageError(f"{name} is a mix and cannot be combined or take an address or a weight")
    near = get_close_matches(name, [*OPERATIONS, *MIXES], n=1)
    hint = f"did you mean {near[0]}?" if near else "see `bpfexit testguest --list`"
    raise UsageError(f"unknown operation or mix {name!r}: {hint}")


def _parse_number(digits: str, text: str) -> int:
    try:
        return int(digits, 0)
    except ValueError:
        raise UsageError(f"{digits!r} in {text!r} is not a number") from None


def _parse_weight(digits: str, text: str) -> int:
    weight = _parse_number(digits, text)
    if not 1 <= weight <= MAX_WEIGHT:
        raise UsageError(f"the weight in {text!r} must be between 1 and {MAX_WEIGHT}")
    return weight


def _check_address(step: Step) -> None:
    """Refuse an address that the command does not serve."""
    pio = step.operation.kind == "pio"
    taken = (*_KERNEL_PORTS, _CONTROL_PORTS) if pio else _TAKEN_MEMORY
    limit = 1 << (16 if pio else 32)
    first = step.address or 0
    end = first + (step.operation.size or 0)
    if first < 0 or end > limit:
        raise UsageError(f"{step.operation.name}@{first:#x} is beyond {limit - 1:#x}")
    if any(first < there.stop and end > there.start for there in taken):
        raise UsageError(
            f"{step.operation.name}@{first:#x} is reserved: the command cannot serve it"
        )
    if not pio and first % 4:
        raise UsageError(f"{step.operation.name}@{first:#x} must be a multiple of 4")
