"""Standard output and standard error: data must arrive, messages may be dropped.

Data that cannot be written is an error. A reader of data that closes its pipe is not: it has what
it needs. A stalled reader is waited for until a signal ends bpfexit. Messages about the
data (notes, progress, errors) that cannot be written neither end nor delay anything.
"""

import io
import os
import select
import sys
import time
from collections.abc import Iterable
from errno import EIO, EPIPE
from math import inf
from typing import Any, BinaryIO, cast

from bpfexit.errors import BpfexitError

PATIENCE_S = 0.5
"""How long a stalled reader is waited for: for messages, and for data after a signal."""

_PIPE_BUF = 4096
"""Bytes that a pipe takes at once when it is writable: PIPE_BUF of linux/limits.h."""

_LOOK_EVERY_S = 0.1
"""How often a stalled write checks whether to give up."""


class ReaderGoneError(Exception):
    """The reader of standard output has closed it."""


class Data(io.FileIO):
    """Standard output. A signal ends a write to a stalled reader."""

    asked_to_end_at = inf
    """When the signal that ends bpfexit arrived, by the monotonic clock."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self.was_terminal = self.isatty()  # a terminal that is hung up no longer says so

    def write(self, data: Any) -> int:
        """Write as much as the reader takes at once. Raises `BpfexitError`."""
        part = memoryview(data)[:_PIPE_BUF]
        while True:
            self._wait_for_reader()
            try:
                return os.write(self.fileno(), part)
            except BlockingIOError:  # another writer of the same pipe was faster
                continue
            except OSError as error:
                raise self._failure(error) from None

    def _wait_for_reader(self) -> None:
        since = time.monotonic()
        while not _writable(self.fileno(), _LOOK_EVERY_S):
            if time.monotonic() - max(since, Data.asked_to_end_at) >= PATIENCE_S:
                raise BpfexitError(
                    "nothing reads standard output, so the rest of it is dropped; "
                    "send it to a file to keep all of it"
                )

    def _failure(self, error: OSError) -> Exception:
        if error.errno == EPIPE or (error.errno == EIO and self.was_terminal):
            return ReaderGoneError()
        return BpfexitError(f"cannot write to standard output: {error.strerror}")


class Talk(io.FileIO):
    """Standard error. Unread messages are dropped; a stalled reader is waited for once."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w", closefd=False)
        self._patience_s = PATIENCE_S

    def write(self, data: Any) -> int:
        """Write all of it, or drop what cannot be written."""
        left = memoryview(data)
        size = left.nbytes
        while left and self._reader_is_ready():
            try:
                left = left[os.write(self.fileno(), left[:_PIPE_BUF]) :]
            except OSError:
                break
        return size

    def _reader_is_ready(self) -> bool:
        ready = _writable(self.fileno(), self._patience_s)
        self._patience_s = PATIENCE_S if ready else 0.0
        return ready


def write_line(text: str) -> None:
    """Write a line of data at once, even if standard output is buffered."""
    write_pieces([text, "\n"])


def write_pieces(pieces: Iterable[str]) -> None:
    """Write data at once that comes in pieces: as a whole, it may take much memory."""
    for piece in pieces:
        sys.stdout.write(piece)
    sys.stdout.flush()


def guard_streams() -> None:
    """Send what is printed through `Data` and `Talk`. A narrow encoding prints `?` for the rest."""
    data = Data(1)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(data), sys.stdout.encoding, "replace", line_buffering=data.was_terminal
    )
    talk = cast(BinaryIO, Talk(2))  # it writes everything or nothing, like a buffered file
    sys.stderr = io.TextIOWrapper(talk, sys.stderr.encoding, "replace", write_through=True)


def _writable(fd: int, seconds: float) -> bool:
    """Wait until a write would not block; also true when it would fail."""
    return bool(select.select([], [fd], [], seconds)[1])
