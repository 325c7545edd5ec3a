"""Waiting that ends at once when the user has had enough (SIGINT, SIGTERM, SIGHUP)."""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONGEST_S = 86400.0
"""select() refuses what does not fit the kernel's clock, which a recording may ask for."""


class Interrupts:
    """A context in which the first such signal sets `stopped`; a second one acts as ever."""

    def __init__(self) -> None:
        self.stopped = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float, *fds: int) -> set[int]:
        """Sleep, a day at most; return early when stopped, or with descriptors to be read."""
        if self.stopped:
            return set()
        timeout = min(max(0.0, seconds), _LONGEST_S)
        ready, _, _ = select.select([self._reader, *fds], [], [], timeout)
        return set(ready) - {self._reader}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopped = True
        os.write(self._writer, b"x")
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
