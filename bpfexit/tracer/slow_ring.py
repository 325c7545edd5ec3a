"""The ring buffer of slow exits, read at the caller's pace."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.slow import RECORD
from bpfexit.tracer.maps import Map, Ring


class SlowRing:
    """Takes the records out of the ring buffer `slow_exits` of loaded programs."""

    def __init__(self, buffer: Map) -> None:
        """Map the buffer. Raises `BpfexitError`."""
        self._taken: list[bytes] = []
        self._ring = Ring(buffer, self._taken.append)

    def read(self) -> NDArray[Any]:
        """Return the records since the last call, of dtype `RECORD`, shape (n,)."""
        self._ring.consume()
        taken = b"".join(self._taken)
        self._taken.clear()
        return np.frombuffer(taken, RECORD)

    def close(self) -> None:
        """Unmap the buffer."""
        self._ring.close()
