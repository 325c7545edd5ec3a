"""The lines of a recording, even of a damaged one.

A line of a gzip file is held back until its member's checksum is verified or the next
line arrives: the last line of a broken member is not taken for a complete one, and the
recorder's members end with their interval. Lines before it are counted (`unverified`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bpfexit.recording.gzip_members import End, GzipMembers

LONGEST = 160 << 20
"""Bytes of a line; 200,000 rows with 14 buckets in use each take 96 MB."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Line:
    """One line, without its newline; `data` is empty when it is too long."""

    data: bytes | bytearray  # its pieces: a long line is not copied
    size: int  # of the whole line, in bytes
    ended: bool = True  # by a newline

    @property
    def too_long(self) -> bool:
        """Whether it is longer than the limit of a line."""
        return self.size > len(self.data)


class Lines:
    """Iterates over the lines of a file, gzip or text."""

    def __init__(self, read: Callable[[int], bytes], compressed: bool) -> None:
        """`read` returns up to a number of bytes of the file, none at its end."""
        self._read = read
        self.members = GzipMembers(read) if compressed else None
        self.is_cut = False
        """Whether the file ends within a compressed block."""
        self.unverified = 0
        """Lines that came from a member before it turned out to be broken."""

    def __iter__(self) -> Iterator[Line]:
        lines = _Splitter()
        # No variable here has a line: it would keep 100 MB while the next one is read.
        held: deque[Line] = deque()
        given = 0  # lines of this member
        for piece in self._pieces():
            if isinstance(piece, bytes):
                for _ in map(held.append, lines.split(piece)):
                    if len(held) > 1:
                        given += 1
                        yield held.popleft()
                continue
            if held and piece is not End.BROKEN:
                yield held.popleft()
            self._end_member(piece, given)
            held.clear()
            given = 0
            if piece is not End.WHOLE:
                lines = _Splitter()
        if rest := lines.rest():
            yield rest

    def _end_member(self, end: End, given: int) -> None:
        self.is_cut = end is End.CUT
        self.unverified += given if end is End.BROKEN else 0

    def _pieces(self) -> Iterator[bytes | End]:
        if self.members:
            yield from self.members.pieces()
            return
        while block := self._read(_BLOCK):
            yield block
            yield End.WHOLE  # text has no checksum to wait for


class _Splitter:
    """Splits data into lines."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._size = 0

    def split(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that end in the data."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._grow(end)
            yield self._line(ended=True)
        self._grow(rest)

    def rest(self) -> Line | None:
        """Return the last line, which has no newline; None if there is none."""
        return self._line(ended=False) if self._size else None

    def _grow(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= LONGEST:
            self._begun += data
        else:
            self._begun.clear()

    def _line(self, ended: bool) -> Line:
        line = Line(self._begun, self._size, ended)
        self._begun, self._size = bytearray(), 0
        return line
