"""JSON documents whose long lists are parsed piece by piece.

Parsed objects take up to thirty times the memory of their text. Therefore only a piece of
a document (`PIECE`) is parsed at a time: the entries of its long lists are passed on piece
by piece, and the rest of the document must be short.
"""

import json
import re
from codecs import utf_8_decode
from collections.abc import Callable, Mapping
from json.decoder import JSONDecodeError
from typing import Any

from bpfexit.formats.json.values import TooLargeError

PIECE = 1 << 20
"""Bytes that are parsed at once; the longest row, with all 125 buckets in use, has some 6,000."""

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_AFTER_ENTRY = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")

Take = Callable[[list[Any]], object]
"""Takes the entries of a list, some at a time, in order."""


def parse(line: bytes | bytearray, takers: Mapping[str, Take]) -> Any:
    """Return the document; the lists with these keys are empty in it, their entries are taken.

    Raises as `json.loads` does, and `TooLargeError` for too much memory. JSON escapes a quote
    within a string with a backslash, so `"key":` is always a key.
    """
    start = re.compile(rb'"(%s)"\s*:\s*\[' % b"|".join(map(re.escape, map(str.encode, takers))))
    rest, position = [], 0
    while match := start.search(line, position):
        rest.append((position, match.end()))
        position = _take_entries(line, match.end(), takers[str(match[1], "ascii")])
    rest.append((position, len(line)))
    if sum(end - begin for begin, end in rest) > PIECE:
        raise TooLargeError(
            f"it is longer than {PIECE >> 20} MiB without its rows: bpfexit writes no such line"
        )
    return json.loads(str(b"".join(line[begin:end] for begin, end in rest), "utf-8"))


def _take_entries(line: bytes | bytearray, position: int, take: Take) -> int:
    """Pass on the entries of the list that begins at `at`; return the offset of its `]`."""
    is_first = True
    while True:
        is_last = position + PIECE >= len(line)
        text, read = utf_8_decode(line[position : position + PIECE], "strict", is_last)
        entries, end, ended = _entries(text, is_first)
        if entries:
            take(entries)
        position += end if read == len(text) else len(text[:end].encode())
        if ended:
            return position
        if not entries:
            _refuse(text, is_last)
        is_first = False


def _entries(text: str, is_first: bool) -> tuple[list[Any], int, bool]:
    """Return the complete entries of the text, their end, and whether the list ends."""
    entries: list[Any] = []
    space = _SPACE.match(text)
    position = space.end() if space else 0
    if is_first and text[position : position + 1] == "]":
        return entries, position, True
    while True:
        try:
            entry, end = _DECODER.raw_decode(text, position)
        except JSONDecodeError:
            return entries, position, False
        after = _AFTER_ENTRY.match(text, end)
        if after is None:  # a number may continue beyond the text
            return entries, position, False
        entries.append(entry)
        if after[1] == "]":
            return entries, after.start(1), True
        position = after.end()


def _refuse(text: str, is_last: bool) -> None:
    """Return the error of the entry at the text's beginning; `is_last`: the line ends with it."""
    if is_last:
        _DECODER.raw_decode(text)
        raise ValueError("a list does not end")
    raise TooLargeError(
        f"an entry of a list is longer than {PIECE >> 20} MiB: bpfexit writes no such line"
    )
