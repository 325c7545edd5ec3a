"""Writing a recording: an interval is a line, and in a .gz file one gzip member.

So whatever ends the recorder leaves all intervals but the last one whole. The
file goes to the disk every few seconds (`SYNC_S`), not with every interval: what
a reset of the host may cost is bounded, and no recording keeps a disk awake with
ten flushes a second. A slow disk delays the next reading of the counters, which
only makes that interval longer: they go on counting.
"""

import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from stat import S_ISREG

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.recording import Header
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

SYNC_S = 5.0
"""Seconds between two flushes to the disk."""

_BLOCK = 1 << 20
_COMPRESSED_BLOCK = 1 << 16
"""Bytes read at once of members, which are small: behind each of them the rest is copied."""
_HEAD = 512
_BEGINNING = re.compile(rb'\{\s*"schema"\s*:\s*"bpfexit\.(recording|snapshot)/')


class Recorder:
    """Appends to a file, from its header on."""

    def __init__(self, path: Path, header: Callable[[], Header], append: bool = False) -> None:
        """Create the file, or with `append` go on with one. Raises `BpfexitError`."""
        self._path = path
        self._header = header
        self._guests: tuple[Guest, ...] = ()  # that the file tells of, since its last header
        self._fd = _opened(path, append)
        self._begin()

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def write(self, snapshot: Snapshot) -> None:
        """Append an interval, whole or not at all. Raises `BpfexitError` when it cannot.

        Before it goes what is new of its guests.
        """
        news = ([line] for line in self._news(snapshot.guests))
        self._append(*news, snapshot_json.pieces(snapshot))
        self._guests = snapshot.guests

    def _news(self, guests: tuple[Guest, ...]) -> list[str]:
        """Return the lines for guests of whom that is not written yet."""
        if guests is self._guests:  # so it is nearly always
            return []
        written = set(self._guests)
        return [guest_json.encode(guest) for guest in guests if guest not in written]

    def reopen(self) -> None:
        """Open the path again, where somebody may have moved the file away from."""
        self.close()
        self._fd = _opened(self._path, append=True)
        self._begin()

    def close(self) -> None:
        """Flush to the disk and close; nothing when closed already."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            os.fdatasync(fd)
        except OSError as error:
            raise self._failed(error) from None
        finally:
            os.close(fd)

    def _begin(self) -> None:
        self._size = os.fstat(self._fd).st_size
        self._synced = 0.0
        self._guests = ()
        self._append([recording_json.encode(self._header())])

    def _append(self, *lines: Iterable[str]) -> None:
        """Write lines, each given piece by piece, at once."""
        ended = (chain(line, ["\n"]) for line in lines)
        pieces: Iterator[bytes] = (piece.encode() for piece in chain.from_iterable(ended))
        if self._path.suffix == ".gz":
            pieces = _compressed(pieces)
        try:
            self._write_whole(_blocks(pieces))
            self._sync()
        except OSError as error:
            raise self._failed(error) from None

    def _write_whole(self, blocks: Iterable[bytes]) -> None:
        """Write all of them; a full disk takes a part first and then fails."""
        size = self._size
        try:
            for block in blocks:
                left = memoryview(block)
                while left:
                    left = left[os.write(self._fd, left) :]
                size += len(block)
        except OSError:
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
        return BpfexitError(
            f"cannot write {self._path}: {error.strerror}; it is whole up to the last interval"
        )


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces as one gzip member."""
    member = zlib.compressobj(wbits=31)
    yield from map(member.compress, pieces)
    yield member.flush()


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same in blocks of a megabyte or so, to be written at once."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _opened(path: Path, append: bool) -> int:
    """Return a descriptor that appends; an existing file is cut to what is whole in it."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path, flags if append else flags | os.O_EXCL, 0o644)
    except FileExistsError:
        raise BpfexitError(f"{path} exists: give another name, or --append to go on") from None
    except OSError as error:
        raise BpfexitError(f"cannot write {path}: {error.strerror}") from None
    try:
        _cut_to_whole(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _cut_to_whole(fd: int, path: Path) -> None:
    """Take off a last interval that was not written whole: nothing could follow it."""
    about = os.fstat(fd)
    if not S_ISREG(about.st_mode):
        raise BpfexitError(f"cannot append to {path}: it is no regular file")
    whole = whole_members(fd) if path.suffix == ".gz" else whole_lines(fd, about.st_size)
    if about.st_size and not (whole and _is_recording(fd, path)):
        raise BpfexitError(f"cannot append to {path}: it is no recording")
    os.ftruncate(fd, whole)


def _is_recording(fd: int, path: Path) -> bool:
    """Say whether a file begins as recordings do: root may append to any file, a log as well."""
    head = os.pread(fd, _HEAD, 0)
    if path.suffix == ".gz":
        head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    return bool(_BEGINNING.match(head))


def whole_lines(fd: int, size: int) -> int:
    """Return how many bytes of a file go up to its last newline."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _behind(member: "zlib._Decompress", block: bytes) -> bytes:
    """Go on with a gzip member; return what of the block is behind its end.

    A megabyte of it may be a gigabyte of text, so that is made, and dropped, in parts.
    """
    while True:
        text = member.decompress(block, _BLOCK)
        block = member.unconsumed_tail
        if member.eof:
            return member.unused_data
        if not block and len(text) < _BLOCK:
            return b""


def whole_members(fd: int) -> int:
    """Return how many bytes of a file are whole gzip members."""
    whole = at = 0
    member = zlib.decompressobj(wbits=31)
    try:
        while block := os.pread(fd, _COMPRESSED_BLOCK, at):
            at += len(block)
            while block:
                block = _behind(member, block)
                if member.eof:
                    whole = at - len(block)
                    member = zlib.decompressobj(wbits=31)
    except zlib.error:
        return whole
    return whole
