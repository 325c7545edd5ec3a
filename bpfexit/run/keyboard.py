"""Keys from the terminal, one at a time; afterwards, the terminal is as before."""

import os
import sys
import termios
from contextlib import suppress
from types import TracebackType
from typing import Any

_LFLAG, _CC = 3, 6
_NAMES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
    b"\x1b": "escape",
    b"\r": "enter",
    b"\n": "enter",
    b"\x7f": "backspace",
    b"\x08": "backspace",
}


class Keyboard:
    """A context in which stdin delivers keys at once and does not echo them.

    A terminal that has hung up accepts no settings and needs none restored. Settings change
    at once (TCSANOW): the output of a terminal stopped by Ctrl-S would never drain.
    """

    def __init__(self) -> None:
        self.fd = sys.stdin.fileno()
        self._before: list[Any] = []

    def __enter__(self) -> "Keyboard":
        with suppress(termios.error):
            self._before = termios.tcgetattr(self.fd)
            changed = termios.tcgetattr(self.fd)
            changed[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
            # Ctrl-Z would leave the shell on the alternate screen.
            changed[_CC][termios.VSUSP] = b"\0"
            termios.tcsetattr(self.fd, termios.TCSANOW, changed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before:
            with suppress(termios.error):
                termios.tcsetattr(self.fd, termios.TCSANOW, self._before)

    def read(self) -> list[str]:
        """Return the pending keys; `eof` if the terminal has gone."""
        try:
            data = os.read(self.fd, 256)
        except OSError:
            data = b""
        return keys(data) if data else ["eof"]


def keys(data: bytes) -> list[str]:
    """Split a terminal's input into keys; an unknown escape sequence is one `escape`."""
    found = []
    while data:
        length = _sequence_length(data)
        sequence, data = data[:length], data[length:]
        unknown = "escape" if sequence[:1] == b"\x1b" else sequence.decode(errors="replace")
        found.append(_NAMES.get(sequence, unknown))
    return found


def _sequence_length(data: bytes) -> int:
    if data[:1] != b"\x1b":
        return _character_length(data)
    if data[1:2] == b"O":
        return 3
    if data[1:2] != b"[":
        return 1
    for at in range(2, len(data)):
        if 0x40 <= data[at] <= 0x7E:
            return at + 1
    return len(data)


def _character_length(data: bytes) -> int:
    """Return the bytes of a UTF-8 character, of which the last may be missing."""
    first = data[0]
    length = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    at = 1
    while at < min(length, len(data)) and 0x80 <= data[at] < 0xC0:
        at += 1
    return at
