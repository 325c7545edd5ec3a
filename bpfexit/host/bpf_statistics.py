"""The kernel's BPF statistics: how often each program ran, and how long.

They are on while a descriptor of BPF_ENABLE_STATS (Linux 5.8) is open, or the
sysctl kernel.bpf_stats_enabled is set: a program's run is then between two
readings of the clock. The run time does not include the tracepoint itself, which for a
classic one writes its record.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.host.check import Check, Status

# From linux/bpf.h and, for x86_64, asm/unistd_64.h.
_SYS_BPF = 321
_BPF_ENABLE_STATS = 32
_BPF_STATS_RUN_TIME = 0


@contextmanager
def enabled() -> Iterator[None]:
    """Keep the statistics on. Raises `BpfexitError` if the kernel refuses."""
    attributes = ctypes.create_string_buffer(_BPF_STATS_RUN_TIME.to_bytes(4, "little"), 8)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(_SYS_BPF, _BPF_ENABLE_STATS, attributes, len(attributes))
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


def counters(fd: int) -> dict[str, int]:
    """Return the kernel's numbers of a program, given its descriptor.

    `run_time_ns` and `run_cnt` grow only while statistics are on. `recursion_misses`
    (Linux 5.12; of classic tracepoint programs 6.7) always does.
    """
    found = {}
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        name, _, value = line.partition(":")
        with suppress(ValueError):
            found[name] = int(value)
    return found
