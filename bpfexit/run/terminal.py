"""The terminal that a screen is painted on: it never waits behind an older screen."""

import os
import select
import signal
import time
from math import inf
from typing import Protocol

from bpfexit.run.keyboard import TAKEN, Keyboard

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"
"""To the other screen, without a cursor and without wrapping, and back.

A text that is wider on the terminal than expected then ends at the end of its line.
"""

_ASK = "\x1b[5n"
"""Makes a terminal answer (`TAKEN`) when it has taken everything before: device status."""

_LEAST, _MOST = 1500, 1 << 16
"""Characters that are written at once, roughly: as many as the terminal takes in `_PART_S`, s, so
that they do not hold up the next key."""
_PART_S = 0.1

_SLOWEST = 2500
"""Characters per second that are believed of a terminal that never answers."""

_PATIENCE_S = 5.0
"""How long an answer is waited for from a terminal that has answered before."""

_LEAVING_S = 0.5
"""How long the last answer is waited for: the shell would take a late one for keys.

And then, how long until the terminal takes what leaves the screen.
"""


class Painted(Protocol):
    """What a terminal shows."""

    def paint(self, most: int) -> tuple[str, bool]:
        """Return the next part of what changes the terminal, and whether it is the last.

        A part ends soon after `most` characters.
        """

    def forget(self) -> None:
        """Begin with an empty terminal."""


class Terminal:
    """A context in which standard output shows a screen, part by part.

    A part is written when the terminal has taken the one before: so there is no queue, in
    whatever lies between, and what is painted next is what is to be seen then.
    """

    def __init__(self, screen: Painted, keyboard: Keyboard, fd: int = 1) -> None:
        self._screen, self._keyboard, self.fd = screen, keyboard, fd
        self._left = b""
        self._stale = False
        self._awaits = False
        self._answers = False
        self._next_at = 0.0
        self._most = _LEAST
        self._asked = (0.0, 0)  # when, and after how many bytes

    def __enter__(self) -> "Terminal":
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def is_blocked(self) -> bool:
        """Whether something is to be written as soon as `fd` is writable."""
        return bool(self._left)

    @property
    def wait_s(self) -> float:
        """How long there is nothing to write, s, unless the terminal answers."""
        if self._left or not self._stale:
            return inf
        return max(0.0, self._next_at - time.monotonic()) if self._awaits else 0.0

    def change(self) -> None:
        """Note that the screen has something else to show."""
        self._stale = True

    def flush(self) -> None:
        """Write the next part, if the terminal has taken the one before."""
        if self._left:
            self._write()
        now = time.monotonic()
        if self._left or not self._stale or (self._awaits and now < self._next_at):
            return
        text, is_last = self._screen.paint(self._most)
        self._stale = not is_last
        if text:
            self._left = (text + _ASK).encode(errors="replace")
            self._awaits, self._asked = True, (now, len(self._left))
            self._next_at = now + (_PATIENCE_S if self._answers else len(self._left) / _SLOWEST)
            self._write()

    def without_answers(self, keys: list[str]) -> list[str]:
        """Take the terminal's answers out of the keys."""
        if TAKEN in keys:
            if self._awaits:
                self._resize_parts()
            self._awaits, self._answers = False, True
        return [key for key in keys if key != TAKEN]

    def _resize_parts(self) -> None:
        """Fit the next part to the terminal's speed. A short one tells only that it is fast."""
        at, size = self._asked
        fitting = size * _PART_S / max(time.monotonic() - at, 1e-6)
        if fitting >= size:
            self._most = min(max(self._most, round(fitting)), _MOST)
        else:
            self._most = max(_LEAST, min(self._most, round(fitting)))

    def suspend(self) -> None:
        """Give the terminal to the shell and stop; go on when the shell says so."""
        self._end()
        self._keyboard.give_back()
        os.kill(0, signal.SIGTSTP)
        self.resume()

    def resume(self) -> None:
        """Take the terminal over again, after something else has used it."""
        self._keyboard.take()
        self._begin()
        self._screen.forget()
        self.change()

    def _begin(self) -> None:
        os.set_blocking(self.fd, False)
        self._left += _ENTER.encode()
        self._write()

    def _end(self) -> None:
        """Leave the screen at once: what it has not taken is dropped."""
        self._wait_for_last_answer()
        self._awaits, self._left = False, _LEAVE.encode()
        self._write()
        end = time.monotonic() + _LEAVING_S  # its own: the answer may have taken all of the other
        while self._left and (left := end - time.monotonic()) > 0:
            select.select([], [self.fd], [], left)
            self._write()
        self._left = b""
        os.set_blocking(self.fd, True)

    def _wait_for_last_answer(self) -> None:
        end = time.monotonic() + _LEAVING_S
        while self._awaits and self._answers and (left := end - time.monotonic()) > 0:
            if select.select([self._keyboard.fd], [], [], left)[0]:
                keys = self._keyboard.read()
                self.without_answers(keys)
                if "eof" in keys:
                    return

    def _write(self) -> None:
        """Write as much as the terminal takes; one that has gone takes everything."""
        try:
            self._left = self._left[os.write(self.fd, self._left) :]
        except BlockingIOError:
            pass
        except OSError:
            self._left = b""


class NoTerminal:
    """No screen: nothing is written."""

    fd = -1
    is_blocked = False
    wait_s = inf

    def change(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def without_answers(self, keys: list[str]) -> list[str]:
        """Return the keys."""
        return keys

    def suspend(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""


NO_TERMINAL = NoTerminal()
