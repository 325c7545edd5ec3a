"""New guests, reported by the kernel at once, because they may end before the next reading."""

import os
import select
import threading
from collections.abc import Callable

import numpy as np

from bpfexit.host.quiet_thread import start_without_signals
from bpfexit.model.guest import Identity
from bpfexit.tracer.maps import Map, Ring

ARRIVAL = np.dtype([("owner", "u8"), ("process_start", "u8")])
"""`struct arrival` of `bpf_programs/wire.h`; a test compares them."""


class Arrivals:
    """A thread that sleeps until a new vCPU is seen, and calls each `notice` with its process.

    It has a ring buffer of its own, because another thread reads the one of slow exits. An arrival
    that finds the buffer full is noticed at the next reading of the maps.
    """

    def __init__(self, buffer: Map, *notice: Callable[[Identity], object]) -> None:
        """Map the buffer and start the thread. Raises `BpfexitError`."""
        self._notice = notice
        self._ring = Ring(buffer, self._take)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)
        start_without_signals(self._thread)

    def close(self) -> None:
        """End the thread; the descriptor of the map is still open."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._ring.close()
        os.close(self._stop)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._ring.fd, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while all(fd != self._stop for fd, _ in poll.poll()):
            self._ring.consume()

    def _take(self, record: bytes) -> None:
        arrival = np.frombuffer(record, ARRIVAL)[0]
        identity = Identity(int(arrival["owner"]) >> 32, int(arrival["process_start"]))
        for notice in self._notice:
            notice(identity)
