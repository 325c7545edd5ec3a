"""Ending the wait of another thread at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock


class CancelledError(Exception):
    """The other thread has cancelled this work."""


class Cancel:
    """Ends the current wait of its user; once cancelled, no other begins."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._end: Callable[[], object] | None = None
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` has been called."""
        return self._cancelled

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Let `cancel` call `end` within the context only. Raises `CancelledError`."""
        with self._lock:
            if self._cancelled:
                raise CancelledError
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None

    @contextmanager
    def readable(self) -> Iterator[int]:
        """Yield a descriptor that `cancel` makes readable. Raises `CancelledError`, `OSError`."""
        fd = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            with self.ending(lambda: os.eventfd_write(fd, 1)):
                yield fd
        finally:
            os.close(fd)

    def cancel(self) -> None:
        """End the current wait, and all later ones."""
        with self._lock:
            self._cancelled = True
            if self._end:
                self._end()
