"""`python -m tests.testbed.odd_guests NAME`: guests whose exits only Intel's KVM takes so.

They keep to the lines of `bpfexit testguest --json --wait --linger`: ready, a line to
start by, a result, and the end of input.
"""

import ctypes
import json
import os
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bpfexit.testguest import kvm_api as kvm
from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine, Vcpu
from bpfexit.testguest.mix import CONTROL_PORT, parse_mix, work_of
from bpfexit.testguest.program import END, Program, assemble

KERNEL_PORT, KERNEL_READS = 0x21, 401
USER_PORT, USER_READS = 0x608, 401
REAL_MODE_ACCESSES = KERNEL_READS + USER_READS + 1
"""With the write to the control port."""

ATTEMPTS = 5

NOTIFY_ADDRESS = 0xD0000004
NOTIFIES = 1009

_ENTRY = 0x1000
_PROTECTED = 1 << 0
_BUSY_TSS_TYPES = (3, 11)


class OddMachine(Machine):
    """The same machine, whose descriptors can be asked for."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._fds: list[int] = []
        super().__init__(programs)

    @property
    def vm(self) -> int:
        """The virtual machine's descriptor, opened after the device's."""
        return self._fds[1]

    def _own(self, fd: int) -> int:
        self._fds.append(fd)
        return super()._own(fd)


def real_mode(machine: OddMachine) -> dict[str, Any]:
    """Read ports in real mode, with a segment of 4 GiB there, which no vm86 task can have.

    Without unrestricted guests, KVM emulates all of it, and never enters the guest.
    """
    (vcpu,) = machine.vcpus
    _set_system(vcpu, _unreal)
    kvm.call(vcpu._fd, kvm.Request.SET_REGS, kvm.Registers(rip=_ENTRY, rflags=2))
    served = []
    vcpu.run(lambda: served.append(1), lambda: None)
    return {"served": len(served)}


def _unreal(system: kvm.SystemRegisters) -> None:
    system.cr0 &= ~_PROTECTED
    for name in ("cs", "ds", "es", "fs", "gs", "ss"):
        setattr(system, name, kvm.Segment(limit=0xFFFF, type=3, present=1, s=1))
    system.ds = kvm.Segment(limit=0xFFFFFFFF, type=3, present=1, s=1, g=1)


def refused(machine: OddMachine) -> dict[str, Any]:
    """Enter with a task register that the CPU refuses, several times."""
    (vcpu,) = machine.vcpus
    _set_system(vcpu, _without_task)
    reasons = []
    for _ in range(ATTEMPTS):
        kvm.call(vcpu._fd, kvm.Request.RUN)
        reasons.append(vcpu._run.exit_reason)
    return {"reasons": reasons}


def _without_task(system: kvm.SystemRegisters) -> None:
    assert system.tr.type in _BUSY_TSS_TYPES
    system.tr.type = 0


class IoEventFd(ctypes.Structure):
    """struct kvm_ioeventfd. Of no length: any write at the address, which KVM need not decode."""

    REQUEST = 0x4040AE79
    _fields_ = (
        ("datamatch", ctypes.c_uint64),
        ("addr", ctypes.c_uint64),
        ("len", ctypes.c_uint32),
        ("fd", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("padding", ctypes.c_uint8 * 36),
    )


def notify(machine: OddMachine) -> dict[str, Any]:
    """Write to an address where an eventfd waits, as of a virtio device's notify."""
    waiting = os.eventfd(0)
    request = IoEventFd(addr=NOTIFY_ADDRESS, fd=waiting)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ioctl(machine.vm, ctypes.c_ulong(IoEventFd.REQUEST), ctypes.byref(request)) == 0
    served = []
    machine.vcpus[0].run(lambda: served.append(1), lambda: None)
    return {"served": len(served), "notified": os.eventfd_read(waiting)}


def _set_system(vcpu: Vcpu, change: Callable[[kvm.SystemRegisters], None]) -> None:
    system = kvm.SystemRegisters()
    kvm.call(vcpu._fd, kvm.Request.GET_SREGS, system)
    change(system)
    kvm.call(vcpu._fd, kvm.Request.SET_SREGS, system)


def _reads() -> bytes:
    """Return 16-bit code: the reads from both ports, then the end."""
    kernel = b"\xb9" + struct.pack("<H", KERNEL_READS)  # mov cx, KERNEL_READS
    kernel += struct.pack("<BB", 0xE4, KERNEL_PORT) + b"\xe2\xfc"  # in al, KERNEL_PORT; loop
    user = b"\xb9" + struct.pack("<H", USER_READS)  # mov cx, USER_READS
    user += b"\xba" + struct.pack("<H", USER_PORT) + b"\xed\xe2\xfd"  # mov dx; in ax, dx; loop
    end = struct.pack("<BBBB", 0xB0, END, 0xE6, CONTROL_PORT)  # mov al, END; out CONTROL_PORT, al
    return kernel + user + end


def _ports_program() -> Program:
    image = (bytes(_ENTRY) + _reads()).ljust(2 * _ENTRY, b"\0")
    return Program(0, _ENTRY, image, ())


def _notify_program() -> Program:
    mix = parse_mix(f"mmio-write-user@{NOTIFY_ADDRESS:#x}")
    return assemble(work_of(mix, NOTIFIES), 0)


GUESTS = {
    "real-mode": (_ports_program, real_mode),
    "refused": (_ports_program, refused),
    "notify": (_notify_program, notify),
}


def main(name: str) -> None:
    """Run the guest of this name."""
    program, run = GUESTS[name]
    with OddMachine([program()]) as machine:
        # The first thread is the vCPU's.
        print(json.dumps(report.ready_document(os.getpid(), [os.getpid()])), flush=True)
        sys.stdin.readline()
        vcpus = [{"vcpu": 0, "tid": os.getpid(), "operations": []}]
        print(json.dumps(run(machine) | {"vcpus": vcpus}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
