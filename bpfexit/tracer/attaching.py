"""Attach programs to events without a change for other users of the same events."""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from bpfexit.host import tracefs
from bpfexit.tracer.libbpf import RAW_TRACEPOINT, TRACEPOINT, Libbpf
from bpfexit.tracer.plan import Attachment

# From linux/perf_event.h and, for x86_64, asm/unistd_64.h.
_SYS_PERF_EVENT_OPEN = 298
_PERF_TYPE_TRACEPOINT = 2
_PERF_FLAG_FD_CLOEXEC = 8
_DISABLED = 1
_SET_BPF = 0x40042408

_ATTRIBUTES = struct.Struct("<IIQQQQQIIQ")
"""`struct perf_event_attr`, version 0: type, size, event, period, samples, format, flags, …"""


def kind_of(attachment: Attachment) -> int:
    """Return the kind of program that is attached this way."""
    return TRACEPOINT if attachment.classic else RAW_TRACEPOINT


def attach(library: Libbpf, attachment: Attachment, program: int, tracefs_root: Path) -> int:
    """Attach a program to its event for as long as the descriptor returned is open.

    Raises `OSError`.
    """
    if not attachment.classic:
        return library.attach_raw_tracepoint(attachment.event, program)
    event = _disabled_event(tracefs.event_id(tracefs_root, attachment.full_name))
    try:
        fcntl.ioctl(event, _SET_BPF, program)
    except OSError:
        os.close(event)
        raise
    return event


def _disabled_event(tracepoint: int) -> int:
    """Return a perf event on one CPU that neither counts nor samples.

    The program is attached to the tracepoint, not to the perf event: it runs on every CPU.
    """
    values = (_PERF_TYPE_TRACEPOINT, _ATTRIBUTES.size, tracepoint, 0, 0, 0, _DISABLED, 0, 0, 0)
    attributes = _ATTRIBUTES.pack(*values)
    libc = ctypes.CDLL(None, use_errno=True)
    cpu = min(os.sched_getaffinity(0))
    every_process, no_group = -1, -1
    fd = libc.syscall(
        _SYS_PERF_EVENT_OPEN, attributes, every_process, cpu, no_group, _PERF_FLAG_FD_CLOEXEC
    )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(fd)
