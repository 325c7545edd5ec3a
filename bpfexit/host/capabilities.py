"""Giving capabilities up: what a process needs to attach is more than it needs to read."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

CAPABILITIES = {
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Numbers of those that matter here, from linux/capability.h."""

_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    """`struct __user_cap_header_struct`; process 0 is the calling thread."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    """`struct __user_cap_data_struct`: one half of each set, the lower 32 numbers first."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def keep_capabilities(names: Iterable[str]) -> None:
    """Give up all capabilities but these, in this thread and those that it starts from now on.

    What the thread does not have, it does not get. Raises `OSError`.
    """
    kept = sum(1 << CAPABILITIES[name] for name in names) & _held("self")
    halves = (_Data * 2)(*(_Data(half, half, 0) for half in (kept & 0xFFFFFFFF, kept >> 32)))
    library = ctypes.CDLL(None, use_errno=True)
    if library.capset(ctypes.byref(_Header(_VERSION_3, 0)), halves) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def capabilities_of_threads() -> set[str]:
    """Return the capabilities that any thread of this process has; unknown ones by number."""
    held = 0
    for task in Path("/proc/self/task").iterdir():
        held |= _held(f"self/task/{task.name}")
    names = {number: name for name, number in CAPABILITIES.items()}
    return {names.get(bit, f"capability {bit}") for bit in range(64) if held >> bit & 1}


def _held(process: str) -> int:
    """Return the permitted set of a process or thread; 0 where it has ended."""
    try:
        lines = Path("/proc", process, "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:")), 0)
