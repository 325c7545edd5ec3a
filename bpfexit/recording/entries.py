"""The entries of a recording, even of a damaged one: unreadable parts are skipped and counted."""

import os
from collections.abc import Generator
from functools import partial
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.values import TooLargeError
from bpfexit.model.text import printable
from bpfexit.recording.lines import LONGEST, Line, Lines
from bpfexit.recording.recording_line import Entry, decode, whole_part


class Entries:
    """The headers, guests and intervals of a file, in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: Lines | None = None
        self._skipped_lines = 0
        self._skipped_bytes = 0
        self._first_skipped = ""
        self._first_error = ""
        self._has_entry = False
        self._is_unmarked = False
        self.line = 0
        """The number of the last line read; skipped parts of a compressed file have no numbers."""
        self.cut: str | None = None
        """How the file ends within a line or a compressed block; None if it does not."""

    def read(self) -> Generator[Entry, None, None]:
        """Yield them. Raises `BpfexitError` if it is not a recording or cannot be read."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            with open(fd, "rb", buffering=0):
                yield from self._decoded(fd)
        except OSError as error:
            raise BpfexitError(f"cannot read {self._path}: {error.strerror}") from None

    def notes(self) -> list[str]:
        """Return the damage of the file, a sentence each."""
        name = printable(str(self._path))
        sentences = [f"{name} is incomplete: {self.cut}"] if self.cut else []
        if self._skipped_lines:
            sentences.append(
                f"{name} is damaged: skipped {_number(self._skipped_lines, 'line')}"
                f" ({_number(self._skipped_bytes, 'byte')}), the first is {self._first_skipped}"
            )
        members = self._lines.members if self._lines else None
        if members and members.skipped:
            sentences.append(
                f"{name} is damaged in {_number(members.skipped, 'compressed byte')}, from byte"
                f" {members.first_skipped:,} on; unreadable parts are skipped"
            )
        if self._is_unmarked:
            sentences.append(
                f"{name} has no end mark: it is still being recorded, was not closed, or its end"
                " is cut off"
            )
        if self._lines and self._lines.unverified:
            sentences.append(
                f"{name}: {_number(self._lines.unverified, 'line')} come from a damaged block"
                " and may be wrong"
            )
        return sentences

    def _decoded(self, fd: int) -> Generator[Entry, None, None]:
        self._lines = Lines(partial(os.read, fd), self._path.suffix == ".gz")
        for entry in map(self._entry, self._lines):  # so that no variable keeps a line
            if entry is not None:
                self._has_entry = True
                yield entry
            elif not self._has_entry and self._skipped_bytes > LONGEST:
                break
            del entry  # before the next one is read: an interval may take 100 MB
        members = self._lines.members
        if members and members.begins_marked and not members.ends_marked:
            self._is_unmarked = not self._lines.is_cut
        if self._lines.is_cut:
            self.cut = "the file ends within a compressed block"
        if not self._has_entry:
            self._refuse(self._lines)

    def _entry(self, line: Line) -> Entry | None:
        """Decode a line, or the complete one that begins within it; note skipped bytes."""
        self.line += 1
        try:
            if line.too_long:
                raise TooLargeError(
                    f"it is longer than {LONGEST >> 20} MiB: record fewer guests (-p) or rows "
                    "(--max-rows) per file"
                )
            return decode(line.data)
        except BpfexitError as error:
            self._first_error = self._first_error or f"line {self.line}: {error}"
            part = whole_part(line.data)
            if not line.ended and not part:
                self.cut = f"line {self.line} is cut short"
                return None
            self._skip(line.size - len(part), str(error))
        try:
            return decode(part) if part else None
        except BpfexitError as error:
            self._skip(len(part), str(error))
            return None

    def _skip(self, size: int, why: str) -> None:
        if not self._skipped_lines:
            self._first_skipped = f"line {self.line}: {why}"
        self._skipped_lines += 1
        self._skipped_bytes += size

    def _refuse(self, lines: Lines) -> None:
        """Raise `BpfexitError` if the file has content, but none of a recording."""
        advice = "make one with `bpfexit record`"
        if self._first_error:
            raise BpfexitError(
                f"{self._path} is not a bpfexit recording, {self._first_error}; {advice}"
            )
        if lines.members and lines.members.skipped:
            raise BpfexitError(
                f"{self._path} is not a bpfexit recording: it is not gzip data; {advice}"
            )


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
