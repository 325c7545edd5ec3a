"""Attach programs to events without a change for other users of the same events."""

import fcntl
from typing import Any

from bpfexit.tracer.plan import Attachment

PERF_EVENT_IOC_DISABLE = 0x2401
"""From linux/perf_event.h."""


def attach(bpf: Any, attachment: Attachment) -> None:
    """Attach the program `on_EVENT` to its event. Raises the error of bcc or of the kernel."""
    program = f"on_{attachment.event}"
    if not attachment.classic:
        bpf.attach_raw_tracepoint(tp=attachment.event, fn_name=program)
        return
    bpf.attach_tracepoint(tp=attachment.full_name, fn_name=program)
    _stop_sampling(bpf, attachment)


def detach(bpf: Any, attachment: Attachment) -> None:
    """Detach the program from its event."""
    if attachment.classic:
        bpf.detach_tracepoint(attachment.full_name)
    else:
        bpf.detach_raw_tracepoint(attachment.event)


def _stop_sampling(bpf: Any, attachment: Attachment) -> None:
    """Disable the perf event through which bcc attaches a classic program.

    That event samples every occurrence on CPU 0. The program is attached to the
    tracepoint, not to the perf event: it stays, and runs on every CPU.
    """
    fcntl.ioctl(bpf.tracepoint_fds[attachment.full_name.encode()], PERF_EVENT_IOC_DISABLE, 0)
