"""Waiting that ends at once when the user has had enough (SIGINT, SIGTERM, SIGHUP)."""

import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Any

_STOP = (signal.SIGINT, signal.SIGTERM)
_TWICE_S = 1.0
"""A second signal within this time is the first once more: timeout(1) sends each twice."""
_LONGEST_S = 86400.0
"""select() refuses what does not fit the kernel's clock, which a recording may ask for."""


class Interrupts:
    """A context in which the first such signal sets `stopped`; a second one acts as ever.

    With `hangup_reopens`, SIGHUP stops nothing: it asks for the file to be opened
    again, as log rotation does, and `reopens` tells of it.
    """

    def __init__(self, hangup_reopens: bool = False) -> None:
        self.stopped = False
        self._hangup = self._reopen if hangup_reopens else self._stop
        self._asked_to_reopen = False
        self._since = 0.0
        self._end: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in _STOP:
            self._before[number] = signal.signal(number, self._stop)
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hangup)
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
        own = {self._reader} if self._end is None else {self._reader, self._end}
        found, _, _ = select.select([*own, *fds], [], [], timeout)
        ready = set(found)
        if self._end in ready:
            self.stopped = True
        return ready - own

    def stop_with(self, fd: int) -> None:
        """Stop, too, as soon as a descriptor can be read: that of a process that has ended."""
        self._end = fd

    def reopens(self) -> bool:
        """Say, once, that SIGHUP has come since the last call."""
        asked, self._asked_to_reopen = self._asked_to_reopen, False
        return asked

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self.stopped:
            self.stopped, self._since = True, time.monotonic()
            os.write(self._writer, b"x")
        elif time.monotonic() - self._since > _TWICE_S:
            self._restore()
            signal.raise_signal(number)

    def _reopen(self, number: int, frame: FrameType | None) -> None:
        """Take note only: the interval goes on, and what follows it goes to the new file."""
        del number, frame
        self._asked_to_reopen = True

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
