"""The kernel's BPF statistics: how often each program ran, and how long.

They are on while a descriptor of BPF_ENABLE_STATS (Linux 5.8) is open, or the
sysctl kernel.bpf_stats_enabled is set: a program's run is then between two
readings of the clock. The run time does not include the tracepoint itself, which for a
classic one writes its record.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from bpfexit.errors import BpfexitError
from bpfexit.host.check import Check, Status

# From linux/bpf.h and, for x86_64, asm/unistd_64.h.
_SYS_BPF = 321
_BPF_OBJ_GET_INFO_BY_FD = 15
_BPF_ENABLE_STATS = 32
_BPF_STATS_RUN_TIME = 0

_ATTRIBUTES = struct.Struct("<IIQ")
"""Of BPF_OBJ_GET_INFO_BY_FD: a descriptor, and size and address of what is filled in."""

_COUNTERS = struct.Struct("<192x3Q")
"""The last fields of a struct bpf_prog_info that are wanted; a kernel that lacks one leaves 0."""


@dataclass(frozen=True)
class Counters:
    """The kernel's numbers of a program.

    `run_ns` and `runs` grow only while statistics are on. `missed` always does: runs that were
    skipped for recursion (Linux 5.12; of classic tracepoint programs 6.7).
    """

    run_ns: int
    runs: int
    missed: int


@contextmanager
def enabled() -> Iterator[None]:
    """Keep the statistics on. Raises `BpfexitError` if the kernel refuses."""
    attributes = ctypes.create_string_buffer(_BPF_STATS_RUN_TIME.to_bytes(4, "little"), 8)
    fd = _bpf(_BPF_ENABLE_STATS, attributes)
    if fd < 0:
        raise BpfexitError(
            f"the kernel gives no BPF statistics ({os.strerror(ctypes.get_errno())}), so the cost "
            "of programs is not measured: run bpfexit with CAP_SYS_ADMIN, on Linux 5.8 or later"
        )
    try:
        yield
    finally:
        os.close(fd)


def check() -> Check:
    """Check that they can be enabled; only measuring bpfexit's cost needs them."""
    name = "BPF statistics"
    try:
        with enabled():
            return Check(name, Status.OK, "can be enabled, to measure the cost of bpfexit")
    except BpfexitError as error:
        return Check(name, Status.WARN, str(error))


def counters(fd: int) -> Counters:
    """Return the kernel's numbers of a program, given its descriptor. Raises `OSError`."""
    info = ctypes.create_string_buffer(_COUNTERS.size)
    attributes = _ATTRIBUTES.pack(fd, len(info), ctypes.addressof(info))
    if _bpf(_BPF_OBJ_GET_INFO_BY_FD, ctypes.create_string_buffer(attributes, len(attributes))) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return Counters(*_COUNTERS.unpack(info.raw))


def _bpf(command: int, attributes: ctypes.Array[ctypes.c_char]) -> int:
    """Make the system call bpf(2)."""
    return int(_libc().syscall(_SYS_BPF, command, attributes, len(attributes)))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
