"""Changes of the terminal's size (SIGWINCH), as a descriptor that becomes readable."""

import os
import signal
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any


class Resizes:
    """A context in which `fd` becomes readable when the terminal's size changes."""

    def __enter__(self) -> "Resizes":
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._before: Any = signal.signal(signal.SIGWINCH, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGWINCH, self._before)
        os.close(self.fd)

    def read(self) -> list[str]:
        """Clear all changes so far. Returns the pressed keys: none."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)
        return []

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        os.eventfd_write(self.fd, 1)
