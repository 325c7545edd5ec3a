"""The terminal's new size, told at once (SIGWINCH)."""

import os
import signal
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any


class Resizes:
    """A context in which `fd` can be read as soon as the terminal has another size."""

    def __enter__(self) -> "Resizes":
        self.fd, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
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
        os.close(self._writer)

    def read(self) -> None:
        """Take note of all of them so far."""
        with suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        with suppress(BlockingIOError):  # full: nobody has looked at the many before
            os.write(self._writer, b"x")
