"""The ring buffer of slow exits, read at the caller's pace."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.slow import RECORD


class SlowRing:
    """Takes the records out of the ring buffer `slow_exits` of loaded programs."""

    def __init__(self, bpf: Any) -> None:
        self._bpf = bpf
        self._taken: list[bytes] = []
        bpf["slow_exits"].open_ring_buffer(self._take)

    def read(self) -> NDArray[Any]:
        """Return what has come since the last call, of dtype `RECORD`, shape (n,)."""
        self._bpf.ring_buffer_consume()
        taken, self._taken = b"".join(self._taken), []
        return np.frombuffer(taken, RECORD)

    def _take(self, context: Any, data: Any, size: int) -> None:
        del context
        self._taken.append(ctypes.string_at(data, size))
