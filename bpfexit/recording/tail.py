"""The end of an existing recording: appending keeps everything that can be read."""

import os
import re
import zlib
from functools import partial

from bpfexit.errors import BpfexitError
from bpfexit.recording.gzip_members import MARK, End, GzipMembers
from bpfexit.recording.lines import LONGEST
from bpfexit.recording.recording_line import decode

_BLOCK = 1 << 20
_HEAD = 512
_BEGINNING = re.compile(rb'\{\s*"schema"\s*:\s*"bpfexit\.(recording|snapshot)/')


def is_recording(fd: int, compressed: bool) -> bool:
    """Return whether a file begins like a recording: root may append to any file, even a log."""
    head = os.pread(fd, _HEAD, 0)
    if compressed:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head.removeprefix(MARK), _HEAD)
        except zlib.error:
            return False
    return bool(_BEGINNING.match(head))


def readable_members(fd: int) -> int:
    """Return the length of a gzip file up to its last readable byte."""
    os.lseek(fd, 0, os.SEEK_SET)
    members = GzipMembers(partial(os.read, fd))
    readable = 0
    has_line = False
    for piece in members.pieces():
        if isinstance(piece, bytes):
            has_line |= b"\n" in piece
            continue
        if piece is End.WHOLE or has_line:
            readable = members.position
        has_line = False
    return readable


def readable_lines(fd: int) -> int:
    """Return the length of a text file up to its last newline, or its last complete line."""
    size = os.fstat(fd).st_size
    ended = _last_newline(fd, size)
    return size if _is_line(fd, ended, size) else ended


def _last_newline(fd: int, size: int) -> int:
    """Return the length of a file up to its last newline."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _is_line(fd: int, first: int, end: int) -> bool:
    """Return whether the rest is a complete line that only lacks its newline."""
    if not 0 < end - first <= LONGEST:
        return False
    try:
        decode(b"".join(_read(fd, first, end)))
    except BpfexitError:
        return False
    return True


def _read(fd: int, first: int, end: int) -> list[bytes]:
    """Read a part of a file in blocks: one read(2) returns 2 GiB at most, or less."""
    return [os.pread(fd, min(_BLOCK, end - offset), offset) for offset in range(first, end, _BLOCK)]
