"""Guests as they come, told of by the kernel at once: they may end before the next reading."""

import ctypes
import os
import select
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from bpfexit.errors import BpfexitError
from bpfexit.host.quiet_thread import start_without_signals
from bpfexit.model.guest import Identity

ARRIVAL = np.dtype([("owner", "u8"), ("process_start", "u8")])
"""`struct arrival` of `bpf_programs/wire.h`; a test compares them."""

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
"""What libbpf calls for a record of a ring buffer: context, record, size."""


class Arrivals:
    """A thread that sleeps until a new vCPU is seen, and calls `notice` with its process.

    A ring buffer of its own, beside the one of slow exits: reading that is no affair of this
    thread. An arrival that finds it full is only noticed later, at the next reading of the maps.
    """

    def __init__(self, library: Any, table: Any, notice: Callable[[Identity], object]) -> None:
        self._notice = notice
        self._library = library
        self._fd = table.map_fd
        self._callback = _CALLBACK(self._take)  # the ring keeps no reference
        self._ring = library.bpf_new_ringbuf(self._fd, self._callback, None)
        if not self._ring:
            raise BpfexitError("the kernel refused a ring buffer; is it out of memory?")
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)
        start_without_signals(self._thread)

    def close(self) -> None:
        """End the thread; the descriptor of the map is still open."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._library.bpf_free_ringbuf(self._ring)
        os.close(self._stop)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while all(fd != self._stop for fd, _ in poll.poll()):
            self._library.bpf_consume_ringbuf(self._ring)

    def _take(self, context: Any, data: Any, size: int) -> int:
        del context
        arrival = np.frombuffer(ctypes.string_at(data, size), ARRIVAL)[0]
        self._notice(Identity(int(arrival["owner"]) >> 32, int(arrival["process_start"])))
        return 0
