"""Writing a recording: an interval is a line, and in a .gz file one gzip member.

However the recorder ends, all intervals but the last are complete; a .gz file that was
closed ends with a mark. The file is flushed to the disk every few seconds (`SYNC_S`), not
per interval: this bounds the loss by a reset of the host without ten flushes per second.
A slow disk delays the next reading of the counters, which only lengthens that interval:
counting continues.
"""

import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.recording import Header
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable
from bpfexit.recording.gzip_members import MARK
from bpfexit.recording.output_file import OutputFile, open_output
from bpfexit.recording.tail import is_recording, readable_lines, readable_members

SYNC_S = 5.0
"""Seconds between two flushes to the disk."""

_BLOCK = 1 << 20


class Recorder:
    """Appends to a file, from its header on."""

    def __init__(self, path: Path, header: Callable[[], Header], append: bool = False) -> None:
        """Create the file, or with `append` continue one. Raises `BpfexitError`."""
        self._path = path
        self._header = header
        self._notes: list[str] = []
        self._output: OutputFile | None = None
        self._intervals = 0  # written since the file was opened
        self._guests: tuple[Guest, ...] = ()  # written to the file since its last header
        self._open(append)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def write(self, snapshot: Snapshot) -> None:
        """Append an interval, completely or not at all. Raises `BpfexitError` if it cannot.

        News of its guests are written before it.
        """
        self._check()
        news = () if snapshot.guests is self._guests else _news(snapshot.guests, self._guests)
        self._append(*([line] for line in news), snapshot_json.pieces(snapshot))
        self._guests = snapshot.guests
        self._intervals += 1

    def notes(self) -> list[str]:
        """Return the events of the file since the last call, a sentence each."""
        notes, self._notes = self._notes, []
        return notes

    def reopen(self) -> None:
        """Reopen the path, from which log rotation may have moved the file."""
        self.close()
        self._open(append=True)

    def close(self) -> None:
        """Flush to the disk and close, once.

        A new file without an interval is removed: it would only block the next recording.
        """
        if self._output is None:
            return
        self._mark_end()
        output, self._output = self._output, None
        try:
            os.fdatasync(output.fd)
        except OSError as error:
            raise self._failed(error) from None
        finally:
            if not self._intervals:
                output.discard()
            output.close()

    def _open(self, append: bool) -> None:
        self._output = _open(self._path, append)
        self._intervals = 0
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def _compressed(self) -> bool:
        return self._path.suffix == ".gz"

    @property
    def _fd(self) -> int:
        return self._output.fd if self._output else -1

    def _begin(self) -> None:
        self._size = os.fstat(self._fd).st_size
        self._synced = 0.0
        self._guests = ()
        self._append([recording_json.encode(self._header())])

    def _check(self) -> None:
        """Check that the file is as this recorder left it. Raises `BpfexitError` if not."""
        about = os.fstat(self._fd)
        if not about.st_nlink:
            raise BpfexitError(
                f"{self._path} was removed during the recording and is lost; start a new recording"
            )
        if about.st_size == self._size:
            return
        if about.st_size:
            raise BpfexitError(
                f"another process has changed {self._path} ({about.st_size:,} bytes instead of"
                f" {self._size:,}); record to another file"
            )
        name = printable(str(self._path))
        self._notes.append(f"another process has emptied {name}: the recording starts over")
        self._begin()

    def _mark_end(self) -> None:
        """Mark the file as closed, unless the disk is full or another process changed the file."""
        is_own = os.fstat(self._fd).st_size == self._size
        if self._compressed and self._intervals and is_own:
            with suppress(OSError):
                self._write_whole([MARK])

    def _append(self, *lines: Iterable[str]) -> None:
        """Write lines, each in pieces, at once."""
        ended = (chain(line, ["\n"]) for line in lines)
        pieces: Iterator[bytes] = (piece.encode() for piece in chain.from_iterable(ended))
        if self._compressed:
            pieces = chain(self._first_mark(), _compressed(pieces))
        try:
            self._write_whole(_blocks(pieces))
            self._sync()
        except OSError as error:
            raise self._failed(error) from None

    def _first_mark(self) -> list[bytes]:
        return [] if self._size else [MARK]

    def _write_whole(self, blocks: Iterable[bytes]) -> None:
        """Write all of them; a full disk accepts a part before it fails."""
        size = self._size
        try:
            for block in blocks:
                left = memoryview(block)
                while left:
                    left = left[os.write(self._fd, left) :]
                size += len(block)
        except OSError:
            if os.fstat(self._fd).st_size > self._size:  # otherwise it would be extended by zeros
                os.ftruncate(self._fd, self._size)
            raise
        self._size = size

    def _sync(self) -> None:
        now = time.monotonic()
        if now - self._synced < SYNC_S:
            return
        os.fdatasync(self._fd)
        self._synced = now

    def _failed(self, error: OSError) -> BpfexitError:
        left = (
            "it is complete up to the last interval" if self._intervals else "nothing was recorded"
        )
        return BpfexitError(f"cannot write {self._path}: {error.strerror}; {left}")


def _news(guests: tuple[Guest, ...], before: tuple[Guest, ...]) -> list[str]:
    """Return the lines of guests that are new or changed."""
    written = set(before)
    return [guest_json.encode(guest) for guest in guests if guest not in written]


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces as one gzip member."""
    member = zlib.compressobj(wbits=31)
    yield from map(member.compress, pieces)
    yield member.flush()


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same in blocks of about a megabyte, each written at once."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _open(path: Path, append: bool) -> OutputFile:
    """Open the file; an existing one is cut to its readable part."""
    output = open_output(path, append)
    try:
        if os.fstat(output.fd).st_size:
            _mend(output.fd, path)
    except BaseException:
        output.close()
        raise
    return output


def _mend(fd: int, path: Path) -> None:
    """Remove an incomplete last interval; end a last line that has no newline.

    Other programs cannot continue after either.
    """
    compressed = path.suffix == ".gz"
    if not is_recording(fd, compressed):
        raise BpfexitError(f"cannot append to {path}: it is not a bpfexit recording")
    size = readable_members(fd) if compressed else readable_lines(fd)
    os.ftruncate(fd, size)
    if size and not compressed and os.pread(fd, 1, size - 1) != b"\n":
        os.write(fd, b"\n")
