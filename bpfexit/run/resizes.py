"""A terminal that changes: its size (SIGWINCH), or another process had it (SIGCONT)."""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Any

from bpfexit.run.keyboard import CONTINUED, RESIZED

_SIGNALS = (signal.SIGWINCH, signal.SIGCONT)


class Resizes:
    """A context in which `fd` becomes readable at these signals."""

    def __enter__(self) -> "Resizes":
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._continued = False
        self._before: list[Any] = [signal.signal(number, self._note) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)
        os.close(self.fd)

    def read(self) -> list[str]:
        """Clear all changes so far; return which they were, as if they were keys."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)
        continued, self._continued = self._continued, False
        return [CONTINUED if continued else RESIZED]

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._continued |= number == signal.SIGCONT
        os.eventfd_write(self.fd, 1)
