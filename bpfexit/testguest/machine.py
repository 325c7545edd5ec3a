"""A virtual machine of our own: memory, interrupt controllers and vCPUs, through /dev/kvm."""

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Self

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.testguest import kvm_api as kvm
from bpfexit.testguest import program as layout
from bpfexit.testguest.mix import CONTROL_PORT, LOCAL_APIC, MEMORY_LIMIT
from bpfexit.testguest.program import Program

DEVICE = "/dev/kvm"

_TSS_ADDRESS = 0xFFFBD000  # three pages that VMX reserves, where QEMU places them

_PROTECTED_MODE = 0x11  # CR0.PE and ET
_CODE_TYPE = 11  # execute, read, accessed
_DATA_TYPE = 3  # read, write, accessed

_APIC_ENABLED = 0x1FF  # the spurious vector register: software enable, vector 255
_APIC_DIVIDE_BY_1 = 0xB

_OPEN_FAILURES = {
    errno.ENOENT: "load kvm_intel or kvm_amd, and enable virtualization in the firmware",
    errno.EACCES: "run as root or join the group kvm",
    errno.EPERM: "run as root or join the group kvm",
    errno.ENODEV: "load kvm_intel or kvm_amd, and enable virtualization in the firmware",
}


class Vcpu:
    """One virtual CPU with its program loaded."""

    def __init__(self, fd: int, run_area: mmap.mmap, memory: mmap.mmap, program: Program) -> None:
        self.control_exits = 0
        self._fd = fd
        self._area = run_area
        self._run = kvm.Run.from_buffer(run_area)
        self._memory = memory
        self._program = program

    def run(self, serve: Callable[[], None], pause: Callable[[], None]) -> None:
        """Run the program to its end.

        `serve` is called for each access that KVM forwards to this process; the result of a read
        does not matter. `pause` is called at the program's pauses.
        """
        while True:
            self._enter()
            reason = self._run.exit_reason
            if reason == kvm.EXIT_IO and self._run.io.port == CONTROL_PORT:
                self.control_exits += 1
                if self._area[self._run.io.data_offset] == layout.END:
                    return
                pause()
            elif reason in (kvm.EXIT_IO, kvm.EXIT_MMIO):
                serve()
            elif reason != kvm.EXIT_INTR:
                raise BpfexitError(f"the guest died: {self._death(reason)}")

    def stop(self) -> None:
        """Make the program end after its current round or pause. Safe in a signal handler.

        The guest ends itself, between two operations, so its counters are exact; interrupting
        KVM_RUN could leave an exit taken but not counted.
        """
        self._memory[self._program.base + layout.STOP] = 1

    def counters(self) -> list[int]:
        """Return the exits of each step so far."""
        start = self._program.base
        return self._program.counters(self._memory[start : start + len(self._program.image)])

    def _enter(self) -> None:
        if kvm.call_raw(self._fd, kvm.Request.RUN) < 0 and ctypes.get_errno() != errno.EINTR:
            raise BpfexitError(f"the guest died: KVM_RUN: {os.strerror(ctypes.get_errno())}")

    def _death(self, reason: int) -> str:
        if reason == kvm.EXIT_FAIL_ENTRY:
            hardware = self._run.fail_entry.hardware_entry_failure_reason
            return f"KVM_EXIT_FAIL_ENTRY, hardware reason {hardware:#x}"
        if reason == kvm.EXIT_INTERNAL_ERROR:
            return f"KVM_EXIT_INTERNAL_ERROR, suberror {self._run.internal.suberror}"
        if reason == kvm.EXIT_SHUTDOWN:
            return "KVM_EXIT_SHUTDOWN, a triple fault"
        return f"unexpected KVM exit {reason}"


class Machine:
    """A virtual machine with one vCPU for each program. Close it when its vCPUs have ended."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._resources = ExitStack()
        try:
            self.vcpus = self._build(programs)
        except BaseException:
            self._resources.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def _build(self, programs: Sequence[Program]) -> list[Vcpu]:
        device = self._own(_open_device())
        _check_version(device)
        vm = self._own(kvm.call(device, kvm.Request.CREATE_VM))
        kvm.call(vm, kvm.Request.SET_TSS_ADDR, _TSS_ADDRESS)
        kvm.call(vm, kvm.Request.CREATE_IRQCHIP)
        memory = _load(programs)
        region = kvm.MemoryRegion(0, 0, 0, len(memory), _address(memory))
        kvm.call(vm, kvm.Request.SET_USER_MEMORY_REGION, region)
        cpuid = kvm.CpuidTable(nent=kvm.CpuidTable.ENTRIES)
        kvm.call(device, kvm.Request.GET_SUPPORTED_CPUID, cpuid)
        run_size = kvm.call(device, kvm.Request.GET_VCPU_MMAP_SIZE)

        vcpus = []
        for index, program in enumerate(programs):
            fd = self._own(kvm.call(vm, kvm.Request.CREATE_VCPU, index))
            kvm.call(fd, kvm.Request.SET_CPUID2, cpuid)
            _set_state(fd, program)
            vcpus.append(Vcpu(fd, mmap.mmap(fd, run_size), memory, program))
        return vcpus

    def _own(self, fd: int) -> int:
        self._resources.callback(os.close, fd)
        return fd


def _open_device() -> int:
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        advice = _OPEN_FAILURES.get(error.errno or 0, "check that KVM is usable on this host")
        raise BpfexitError(f"cannot open {DEVICE}: {error.strerror}: {advice}") from None


def _check_version(device: int) -> None:
    version = kvm.call(device, kvm.Request.GET_API_VERSION)
    if version != kvm.API_VERSION:
        raise BpfexitError(f"{DEVICE} has version {version} of KVM's API, not {kvm.API_VERSION}")


def _load(programs: Sequence[Program]) -> mmap.mmap:
    size = max(program.base + len(program.image) for program in programs)
    if size > MEMORY_LIMIT:
        raise UsageError(f"the mix is too long: the guest has {MEMORY_LIMIT >> 20} MiB of memory")
    memory = mmap.mmap(-1, size)
    for program in programs:
        memory[program.base : program.base + len(program.image)] = program.image
    return memory


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _set_state(fd: int, program: Program) -> None:
    """Put a vCPU at its program's entry, in flat 32-bit protected mode."""
    system = kvm.SystemRegisters()
    kvm.call(fd, kvm.Request.GET_SREGS, system)
    system.cr0 = _PROTECTED_MODE
    system.gdt = kvm.DescriptorTable(program.base + layout.GDT, layout.GDT_LIMIT)
    system.idt = kvm.DescriptorTable(program.base + layout.IDT, layout.IDT_LIMIT)
    for name in ("cs", "ds", "es", "fs", "gs", "ss"):
        setattr(system, name, _flat_segment(code=name == "cs"))
    kvm.call(fd, kvm.Request.SET_SREGS, system)

    start = kvm.Registers(rip=program.entry, rsp=program.base + layout.STACK_TOP, rflags=2)
    kvm.call(fd, kvm.Request.SET_REGS, start)
    # Otherwise all but the first vCPU wait for a start-up interrupt.
    kvm.call(fd, kvm.Request.SET_MP_STATE, ctypes.c_uint32(kvm.MP_STATE_RUNNABLE))
    _set_apic(fd)


def _flat_segment(*, code: bool) -> kvm.Segment:
    return kvm.Segment(
        limit=0xFFFFFFFF,
        selector=layout.CODE_SELECTOR if code else layout.DATA_SELECTOR,
        type=_CODE_TYPE if code else _DATA_TYPE,
        present=1,
        db=1,
        s=1,
        g=1,
    )


def _set_apic(fd: int) -> None:
    """Enable the local APIC and its one-shot timer, so that the guest needs no exits for that."""
    apic = kvm.LocalApic()
    kvm.call(fd, kvm.Request.GET_LAPIC, apic)
    for register, value in (
        (layout.APIC_SPURIOUS, _APIC_ENABLED),
        (layout.APIC_TIMER, layout.WAKE_VECTOR),
        (layout.APIC_TIMER_DIVIDE, _APIC_DIVIDE_BY_1),
    ):
        struct.pack_into("<I", apic, register - LOCAL_APIC, value)
    kvm.call(fd, kvm.Request.SET_LAPIC, apic)
