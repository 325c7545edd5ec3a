"""The part of KVM's interface that the guest needs, for x86.

From the kernel's include/uapi/linux/kvm.h, arch/x86/include/uapi/asm/kvm.h and
Documentation/virt/kvm/api.rst. The calls go through libc: `fcntl.ioctl` takes no pointers and no
buffers of more than 1,024 bytes. `ctypes.CDLL` releases the interpreter's lock during a call.
"""

import ctypes
import os
from ctypes import Structure, Union, c_char, c_uint8, c_uint16, c_uint32, c_uint64
from enum import Enum

from bpfexit.errors import BpfexitError

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_NAME = 15  # linux/prctl.h

API_VERSION = 12
MP_STATE_RUNNABLE = 0

EXIT_IO = 2
EXIT_MMIO = 6
EXIT_SHUTDOWN = 8
EXIT_FAIL_ENTRY = 9
EXIT_INTR = 10
EXIT_INTERNAL_ERROR = 17


class MemoryRegion(Structure):
    """struct kvm_userspace_memory_region."""

    _fields_ = (
        ("slot", c_uint32),
        ("flags", c_uint32),
        ("guest_phys_addr", c_uint64),
        ("memory_size", c_uint64),
        ("userspace_addr", c_uint64),
    )


class Registers(Structure):
    """struct kvm_regs."""

    _fields_ = (
        *((name, c_uint64) for name in ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp")),
        *((f"r{number}", c_uint64) for number in range(8, 16)),
        ("rip", c_uint64),
        ("rflags", c_uint64),
    )


class Segment(Structure):
    """struct kvm_segment."""

    _fields_ = (
        ("base", c_uint64),
        ("limit", c_uint32),
        ("selector", c_uint16),
        ("type", c_uint8),
        ("present", c_uint8),
        ("dpl", c_uint8),
        ("db", c_uint8),
        ("s", c_uint8),
        ("l", c_uint8),
        ("g", c_uint8),
        ("avl", c_uint8),
        ("unusable", c_uint8),
        ("padding", c_uint8),
    )


class DescriptorTable(Structure):
    """struct kvm_dtable."""

    _fields_ = (("base", c_uint64), ("limit", c_uint16), ("padding", c_uint16 * 3))


class SystemRegisters(Structure):
    """struct kvm_sregs."""

    gdt: DescriptorTable
    idt: DescriptorTable
    cr0: int

    _fields_ = (
        *((name, Segment) for name in ("cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt")),
        ("gdt", DescriptorTable),
        ("idt", DescriptorTable),
        *((name, c_uint64) for name in ("cr0", "cr2", "cr3", "cr4", "cr8", "efer", "apic_base")),
        ("interrupt_bitmap", c_uint64 * 4),
    )


class LocalApic(Structure):
    """struct kvm_lapic_state: the registers of the APIC's page."""

    _fields_ = (("regs", c_char * 0x400),)


class CpuidTable(Structure):
    """struct kvm_cpuid2 with KVM_MAX_CPUID_ENTRIES entries."""

    ENTRIES = 256
    _fields_ = (("nent", c_uint32), ("padding", c_uint32), ("entries", c_uint8 * (40 * ENTRIES)))


class RunIo(Structure):
    """kvm_run.io: an access to a port that this process serves."""

    direction: int
    size: int
    port: int
    count: int
    data_offset: int

    _fields_ = (
        ("direction", c_uint8),
        ("size", c_uint8),
        ("port", c_uint16),
        ("count", c_uint32),
        ("data_offset", c_uint64),
    )


class RunFailEntry(Structure):
    """kvm_run.fail_entry: the hardware refused the guest's state."""

    hardware_entry_failure_reason: int

    _fields_ = (("hardware_entry_failure_reason", c_uint64), ("cpu", c_uint32))


class RunInternal(Structure):
    """kvm_run.internal: KVM gave up; suberror 1 is an instruction it cannot emulate."""

    suberror: int

    _fields_ = (("suberror", c_uint32), ("ndata", c_uint32), ("data", c_uint64 * 16))


class _RunUnion(Union):
    _fields_ = (
        ("io", RunIo),
        ("fail_entry", RunFailEntry),
        ("internal", RunInternal),
        ("padding", c_uint8 * 256),
    )


class Run(Structure):
    """The first part of struct kvm_run, which the kernel shares with this process."""

    exit_reason: int
    io: RunIo
    fail_entry: RunFailEntry
    internal: RunInternal

    _anonymous_ = ("detail",)
    _fields_ = (
        ("request_interrupt_window", c_uint8),
        ("immediate_exit", c_uint8),
        ("padding1", c_uint8 * 6),
        ("exit_reason", c_uint32),
        ("ready_for_interrupt_injection", c_uint8),
        ("if_flag", c_uint8),
        ("flags", c_uint16),
        ("cr8", c_uint64),
        ("apic_base", c_uint64),
        ("detail", _RunUnion),
    )


class Request(Enum):
    """The ioctl requests by name: direction (0 none, 1 write, 2 read, 3 both), number, argument."""

    GET_API_VERSION = (0, 0x00, None)
    CREATE_VM = (0, 0x01, None)
    GET_VCPU_MMAP_SIZE = (0, 0x04, None)
    GET_SUPPORTED_CPUID = (3, 0x05, c_uint64)  # its size counts the header only
    CREATE_VCPU = (0, 0x41, None)
    SET_USER_MEMORY_REGION = (1, 0x46, MemoryRegion)
    SET_TSS_ADDR = (0, 0x47, None)
    CREATE_IRQCHIP = (0, 0x60, None)
    RUN = (0, 0x80, None)
    SET_REGS = (1, 0x82, Registers)
    GET_SREGS = (2, 0x83, SystemRegisters)
    SET_SREGS = (1, 0x84, SystemRegisters)
    GET_LAPIC = (2, 0x8E, LocalApic)
    SET_LAPIC = (1, 0x8F, LocalApic)
    SET_CPUID2 = (1, 0x90, c_uint64)
    SET_MP_STATE = (1, 0x99, c_uint32)

    @property
    def number(self) -> int:
        """The number for `ioctl`: _IOC(direction, KVMIO, number, size)."""
        direction, number, argument = self.value
        size = ctypes.sizeof(argument) if argument else 0
        return int(direction << 30 | size << 16 | 0xAE << 8 | number)


Argument = int | Structure | c_uint32


def call(fd: int, request: Request, argument: Argument = 0) -> int:
    """Make the request and return its result; fail with its name and the kernel's reason."""
    result = call_raw(fd, request, argument)
    if result < 0:
        reason = os.strerror(ctypes.get_errno())
        raise BpfexitError(f"KVM refused the guest: KVM_{request.name}: {reason}")
    return result


def call_raw(fd: int, request: Request, argument: Argument = 0) -> int:
    """Make the request and return its result; below 0, `ctypes.get_errno` has the error."""
    value = ctypes.c_ulong(argument) if isinstance(argument, int) else ctypes.byref(argument)
    return int(_libc.ioctl(fd, ctypes.c_ulong(request.number), value))


def name_thread(name: str) -> None:
    """Name the calling thread; of a longer name, the kernel keeps 15 bytes."""
    _libc.prctl(_PR_SET_NAME, name.encode())
