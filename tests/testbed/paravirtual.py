"""`python -m tests.testbed.paravirtual hyperv|xen`: guests that call another hypervisor than KVM.

They keep to the lines of `bpfexit testguest --json --wait --linger`. Each has a machine that KVM
takes for one of that hypervisor, and calls it a prime number of times.
"""

import ctypes
import json
import os
import struct
import sys
from collections.abc import Callable, Mapping

from bpfexit.testguest import kvm_api as kvm
from bpfexit.testguest import report
from bpfexit.testguest.machine import DEVICE
from bpfexit.testguest.mix import CONTROL_PORT
from bpfexit.testguest.program import Program
from tests.testbed.odd_guests import OddMachine
from tests.testbed.viewed import VMMCALL, of_work

HYPERV_CALLS = {0x8: 101, 0x999: 103}
"""How often each code is called: of a long spin wait, and of no call at all."""
XEN_CALLS = {17: 107, 39: 109}
"""How often each number is called: xen_version and argo_op. Both go to user space."""

_FAST = 1 << 16
_INTERFACE_LEAF = 0x40000001
_INTERFACE = b"Hv#1"
_GUEST_OS_ID = 0x40000000
_CPUID_ENTRY = struct.Struct("<10I")
_SET_MSRS = 0x4008AE89
_CHECK_EXTENSION = 0xAE03
_CAP_XEN_HVM = 38
_INTERCEPT_CALLS = 1 << 1
_XEN_HVM_CONFIG = 0x4038AE7A
_EXIT_XEN = 34

_libc = ctypes.CDLL(None, use_errno=True)


def _ioctl(fd: int, request: int, argument: bytes | int) -> int:
    value = ctypes.c_ulong(argument) if isinstance(argument, int) else argument
    result = int(_libc.ioctl(fd, ctypes.c_ulong(request), value))
    assert result >= 0, f"{request:#x}: {os.strerror(ctypes.get_errno())}"
    return result


def _calls(calls: Mapping[int, int], flags: int = 0) -> Program:
    """Return a program with a call of each number, as often as said; EDX and EBX are zero."""
    bodies = {
        str(number): (times, b"\x31\xd2\x31\xdb\xb8" + struct.pack("<I", number | flags) + VMMCALL)
        for number, times in calls.items()
    }
    return of_work(bodies)


def hyperv(machine: OddMachine) -> bool:
    """Let KVM take the machine for one of Hyper-V's, whose guest has said what it is."""
    device = os.open(DEVICE, os.O_RDWR)
    table = kvm.CpuidTable(nent=kvm.CpuidTable.ENTRIES)
    kvm.call(device, kvm.Request.GET_SUPPORTED_CPUID, table)
    os.close(device)
    entries = bytearray(table.entries)
    for offset in range(0, table.nent * _CPUID_ENTRY.size, _CPUID_ENTRY.size):
        function, *others = _CPUID_ENTRY.unpack_from(entries, offset)
        if function == _INTERFACE_LEAF:
            others[2] = int.from_bytes(_INTERFACE, "little")
            _CPUID_ENTRY.pack_into(entries, offset, function, *others)
    table.entries[:] = entries
    for vcpu in machine.vcpus:
        kvm.call(vcpu._fd, kvm.Request.SET_CPUID2, table)
        assert _ioctl(vcpu._fd, _SET_MSRS, struct.pack("<IIIIQ", 1, 0, _GUEST_OS_ID, 0, 1)) == 1
    return True


def xen(machine: OddMachine) -> bool:
    """Let KVM take calls for Xen's; return whether this kernel can."""
    device = os.open(DEVICE, os.O_RDWR)
    flags = _ioctl(device, _CHECK_EXTENSION, _CAP_XEN_HVM)
    os.close(device)
    if not flags & _INTERCEPT_CALLS:
        return False
    config = struct.pack("<IIQQBB30x", _INTERCEPT_CALLS, _GUEST_OS_ID, 0, 0, 0, 0)
    _ioctl(machine.vm, _XEN_HVM_CONFIG, config)
    return True


def _run(machine: OddMachine) -> int:
    """Run to the end; return how often KVM has left a call to this process."""
    (vcpu,) = machine.vcpus
    served = 0
    while True:
        kvm.call(vcpu._fd, kvm.Request.RUN)
        if vcpu._run.exit_reason == _EXIT_XEN:
            served += 1
        elif vcpu._run.exit_reason == kvm.EXIT_IO and vcpu._run.io.port == CONTROL_PORT:
            return served
        else:
            raise AssertionError(vcpu._death(vcpu._run.exit_reason))


GUESTS: dict[str, tuple[Program, Callable[[OddMachine], bool]]] = {
    "hyperv": (_calls(HYPERV_CALLS, _FAST), hyperv),
    "xen": (_calls(XEN_CALLS), xen),
}


def main(name: str) -> None:
    """Run the guest of this name."""
    program, prepare = GUESTS[name]
    with OddMachine([program]) as machine:
        is_possible = prepare(machine)
        # The first thread is the vCPU's.
        print(json.dumps(report.ready_document(os.getpid(), [os.getpid()])), flush=True)
        sys.stdin.readline()
        served = _run(machine) if is_possible else None
        vcpus = [{"vcpu": 0, "tid": os.getpid(), "operations": []}]
        print(json.dumps({"served": served, "vcpus": vcpus}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
