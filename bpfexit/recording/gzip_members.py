"""A gzip file read member by member, past damage, which ends at the next member.

The recorder writes one member per interval, and an empty one (`MARK`) at the beginning and
the end of a file. A file that is cut exactly between two members therefore differs from a
complete one, as in BGZF, the gzip variant of samtools.
"""

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from enum import Enum

_BEGINNING = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
"""The beginning of a member (RFC 1952), without reserved flags; random in 128 MiB once."""

_LENGTH = 4

MARK = zlib.compressobj(wbits=31).flush()
"""An empty member, 20 bytes, which adds no data for any reader of gzip."""

_BLOCK = 1 << 20
_SLICE = 1 << 10
"""Compressed bytes given to zlib at once: an error loses their data. They expand to a megabyte
at most, which bounds the memory for a hostile file."""

_OVERRUN = 128 << 10
"""Bytes before an error in which the next member may have begun: zlib takes a damaged length of
up to 64 KiB at its word."""

_RESCAN_LIMIT = 256 << 20
"""Maximum bytes that are decompressed twice: a hostile file must not keep a CPU busy."""


class End(Enum):
    """How a member ends."""

    WHOLE = "whole"  # its checksum is right
    BROKEN = "broken"
    CUT = "cut"  # the file ends within it


class GzipMembers:
    """The data of a gzip file, and where it is damaged."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """`read` returns up to a number of bytes of the file, none at its end."""
        self._read = read
        self._data = b""
        self._start = 0  # of `_data` in the file
        self._position = 0  # in `_data`
        self._rescanned = 0
        self.skipped = 0
        """Bytes of broken members, and between members."""
        self.first_skipped = 0
        """Where the first of them is in the file."""
        self.begins_marked = False
        self.ends_marked = False

    @property
    def position(self) -> int:
        """Where the next byte to be decompressed is in the file."""
        return self._start + self._position

    def pieces(self) -> Iterator[bytes | End]:
        """Yield each member's data piece by piece, then how the member ends."""
        while self._more():
            begin = self.position
            self.ends_marked = False
            try:
                is_whole = yield from self._member()
            except zlib.error:
                self._resync(begin)
                yield End.BROKEN
                continue
            if is_whole:
                self._note_mark(begin)
                yield End.WHOLE
            else:
                yield self._cut(begin)

    def _member(self) -> Generator[bytes, None, bool]:
        """Yield the data of the member that begins here; return whether it is complete."""
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if not self._more():
                return False
            part = self._data[self._position : self._position + _SLICE]
            self._position += len(part)
            data = member.decompress(part)
            self._position -= len(member.unused_data)
            yield data
        return True

    def _note_mark(self, begin: int) -> None:
        first = begin - self._start
        self.ends_marked = self._data[max(0, first) : self._position] == MARK
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
        self._position = first - self._start
        while not (match := _BEGINNING.search(self._data, self._position)):
            self._position = max(self._position, len(self._data) - _LENGTH + 1)
            if not self._fill():
                self._position = len(self._data)
                return False
        self._position = match.start()
        self._rescanned += max(0, ahead - self.position)
        return True

    def _skip(self, begin: int) -> None:
        if not self.skipped:
            self.first_skipped = begin
        self.skipped += self.position - begin

    def _more(self) -> bool:
        return self._position < len(self._data) or self._fill()

    def _fill(self) -> bool:
        """Read more, and keep data for going back; False at the end."""
        block = self._read(_BLOCK)
        gone = max(0, min(self._position, len(self._data) - _OVERRUN)) if block else 0
        self._data = self._data[gone:] + block
        self._start += gone
        self._position -= gone
        return bool(block)
