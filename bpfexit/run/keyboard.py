"""Keys from the terminal, one at a time; afterwards, the terminal is as before."""

import os
import re
import select
import sys
import termios
from contextlib import suppress
from typing import Any

TAKEN = "taken"
"""The "key" by which a terminal answers that it has taken what was written (device status)."""

CONTINUED, RESIZED = "continued", "resized"
"""The "keys" that signals press: the process was stopped and goes on; the size has changed."""

_ENDS_WITHIN = re.compile(rb"\x1b(O|\[[0-?]*[ -/]*)?$")
"""Input that ends within an escape sequence, or with the key Esc."""

_PAUSE_S = 0.03
"""The pause after which Esc was a key: a slow line takes a tenth of it between two bytes."""

_LFLAG, _CC = 3, 6
_NAMES = {
    b"\x1b[0n": TAKEN,
    b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown",
    b"\x1b[H": "home",
    b"\x1b[F": "end",
    b"\x1b[1~": "home",
    b"\x1b[4~": "end",
    b"\x1b[7~": "home",
    b"\x1b[8~": "end",
    b"\x1bOH": "home",
    b"\x1bOF": "end",
    b"\t": "tab",
    b"\x1b[Z": "backtab",
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

    def __init__(self, fd: int | None = None) -> None:
        self.fd = sys.stdin.fileno() if fd is None else fd
        self._before: list[Any] = []

    def __enter__(self) -> "Keyboard":
        self.take()
        return self

    def take(self) -> None:
        """Change the terminal's settings."""
        with suppress(termios.error):
            self._before = termios.tcgetattr(self.fd)
            changed = termios.tcgetattr(self.fd)
            changed[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
            # Ctrl-Z is a key like others: the screen is left first.
            changed[_CC][termios.VSUSP] = b"\0"
            termios.tcsetattr(self.fd, termios.TCSANOW, changed)

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Restore the terminal's settings."""
        if self._before:
            with suppress(termios.error):
                termios.tcsetattr(self.fd, termios.TCSANOW, self._before)

    def read(self) -> list[str]:
        """Return the pending keys; `eof` if the terminal has gone."""
        data = self._bytes()
        while _ENDS_WITHIN.search(data) and select.select([self.fd], [], [], _PAUSE_S)[0]:
            more = self._bytes()
            data += more
            if not more:
                break
        return keys(data) if data else ["eof"]

    def _bytes(self) -> bytes:
        try:
            return os.read(self.fd, 256)
        except OSError:
            return b""


def keys(data: bytes) -> list[str]:
    """Split a terminal's input into keys; an unknown escape sequence is one `unknown`."""
    pressed = []
    while data:
        length = _sequence_length(data)
        sequence, data = data[:length], data[length:]
        unknown = "unknown" if sequence[:1] == b"\x1b" else sequence.decode(errors="replace")
        pressed.append(_NAMES.get(sequence, unknown))
    return pressed


def _sequence_length(data: bytes) -> int:
    if data[:1] != b"\x1b":
        return _character_length(data)
    if data[1:2] == b"O":
        return 3
    if data[1:2] != b"[":
        return 1
    for index in range(2, len(data)):
        if 0x40 <= data[index] <= 0x7E:
            return index + 1
    return len(data)


def _character_length(data: bytes) -> int:
    """Return the bytes of a UTF-8 character, of which the last may be missing."""
    first = data[0]
    length = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    index = 1
    while index < min(length, len(data)) and 0x80 <= data[index] < 0xC0:
        index += 1
    return index
