"""A gzip file read member by member, past damage: the next member tells where to go on.

A member is what was compressed at once; the recorder makes one of each interval, and
begins and ends a file with an empty one (`MARK`). So a file that is cut exactly
between two members is told from a whole one, as in BGZF, samtools' kind of gzip.
"""

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from enum import Enum

_BEGINNING = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
"""A member begins like that (RFC 1952), with no reserved flag; random data does once in 128 MiB."""

_LENGTH = 4

MARK = zlib.compressobj(wbits=31).flush()
"""An empty member, 20 bytes, which is no data to anything that reads gzip."""

_BLOCK = 1 << 20
_SLICE = 1 << 10
"""Compressed bytes given to zlib at once: when it finds an error, their data is lost. They make
a megabyte at most, which bounds the memory that a hostile file takes."""

_OVERRUN = 128 << 10
"""Bytes before an error in which the next member may have begun: zlib takes a damaged length of
up to 64 KiB at its word."""

_RESCAN_LIMIT = 256 << 20
"""Bytes that are decompressed twice at most: a hostile file is not to keep a CPU busy for long."""


class End(Enum):
    """How a member ends."""

    WHOLE = "whole"  # its checksum is right
    BROKEN = "broken"
    CUT = "cut"  # the file ends within it


class GzipMembers:
    """The data of a gzip file, and where it is damaged."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """`read` returns up to so many bytes of the file, none at its end."""
        self._read = read
        self._data = b""
        self._start = 0  # of `_data` in the file
        self._at = 0  # in `_data`
        self._rescanned = 0
        self.skipped = 0
        """Bytes of members that are broken, and between members."""
        self.first_skipped = 0
        """Where the first of them is in the file."""
        self.begins_marked = False
        self.ends_marked = False

    @property
    def position(self) -> int:
        """Where the next byte to be decompressed is in the file."""
        return self._start + self._at

    def pieces(self) -> Iterator[bytes | End]:
        """Yield each member's data piece by piece, and then how the member ends."""
        while self._more():
            begin = self.position
            self.ends_marked = False
            try:
                whole = yield from self._member()
            except zlib.error:
                self._resync(begin)
                yield End.BROKEN
                continue
            if whole:
                self._note_mark(begin)
                yield End.WHOLE
            else:
                yield self._cut(begin)

    def _member(self) -> Generator[bytes, None, bool]:
        """Yield the data of the member that begins here; return whether it is all there."""
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if not self._more():
                return False
            part = self._data[self._at : self._at + _SLICE]
            self._at += len(part)
            data = member.decompress(part)
            self._at -= len(member.unused_data)
            yield data
        return True

    def _note_mark(self, begin: int) -> None:
        first = begin - self._start
        self.ends_marked = self._data[max(0, first) : self._at] == MARK
        self.begins_marked |= self.ends_marked and begin == 0

    def _cut(self, begin: int) -> End:
        """Return how a member ends that reaches the file's end: broken, if another follows."""
        if self._find(self._back_to(begin)):
            self._skip(begin)
            return End.BROKEN
        return End.CUT

    def _resync(self, begin: int) -> None:
        """Go to the next member after an error in the one that began there, or to the end."""
        self._find(self._back_to(begin))
        self._skip(begin)

    def _back_to(self, begin: int) -> int:
        """Return where in the file to look for the next member."""
        if self._rescanned >= _RESCAN_LIMIT:
            return max(begin + 1, self.position)
        return max(begin + 1, self._start, self.position - _OVERRUN)

    def _find(self, first: int) -> bool:
        """Go to the first member from there on, or to the end of the file."""
        ahead = self.position
        self._at = first - self._start
        while not (found := _BEGINNING.search(self._data, self._at)):
            self._at = max(self._at, len(self._data) - _LENGTH + 1)
            if not self._fill():
                self._at = len(self._data)
                return False
        self._at = found.start()
        self._rescanned += max(0, ahead - self.position)
        return True

    def _skip(self, begin: int) -> None:
        if not self.skipped:
            self.first_skipped = begin
        self.skipped += self.position - begin

    def _more(self) -> bool:
        return self._at < len(self._data) or self._fill()

    def _fill(self) -> bool:
        """Read on, and keep what one may have to go back to; False at the end."""
        block = self._read(_BLOCK)
        gone = max(0, min(self._at, len(self._data) - _OVERRUN)) if block else 0
        self._data = self._data[gone:] + block
        self._start += gone
        self._at -= gone
        return bool(block)
