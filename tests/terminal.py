"""`bpfexit top` in a pseudo-terminal, and an independent emulator that shows what it writes."""

import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pyte

from tests.counting import BPFEXIT
from tests.ending import descriptors_waited_for

ENOUGH_S = 60.0
_STANDARD = 3
"""Input, output and errors: the loop's own descriptors have greater numbers."""

ALTERNATE_ON, ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"


def _is_readable(fd: int, seconds: float = 0.0) -> bool:
    return bool(select.select([fd], [], [], seconds)[0])


class _Screen(pyte.Screen):
    """Answers as a terminal does, through the descriptor that the keys are written to."""

    def __init__(self, columns: int, lines: int, keys: int | None) -> None:
        super().__init__(columns, lines)
        self._keys = keys

    def write_process_input(self, data: str) -> None:
        if self._keys is not None:
            os.write(self._keys, data.encode())


class Terminal:
    """A command in a pseudo-terminal, `bpfexit top` if no other is given.

    Without `answers` it is a terminal that never answers. `shown` is what it shows.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        lines: int = 40,
        answers: bool = True,
        command: tuple[str, ...] = (*BPFEXIT, "top"),
        **environment: str,
    ) -> None:
        self.master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (lines, columns))
        self.before = termios.tcgetattr(self._slave)
        self.screen = _Screen(columns, lines, self.master if answers else None)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = ""
        self.written = 0
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=subprocess.PIPE,
            env=os.environ | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )

    @property
    def shown(self) -> str:
        """The lines of the screen, without the blanks at their ends."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float, most: int = 65536) -> bool:
        """Show what has been written, waiting for it at most so long; return whether it was."""
        if not _is_readable(self.master, seconds):
            return False
        try:
            data = os.read(self.master, most)
        except OSError:
            return False
        self.raw += data.decode(errors="replace")
        self.written += len(data)
        self._stream.feed(data)
        return True

    def until(self, pattern: str) -> str:
        """Read until the screen shows a pattern; return what it shows."""
        self._until(lambda: re.search(pattern, self.shown, re.DOTALL), pattern)
        return self.shown

    def until_written(self, pattern: str) -> str:
        """Read until a pattern has been written since the last call; return what was."""
        self._until(lambda: re.search(pattern, self.raw, re.DOTALL), pattern)
        found = re.search(pattern, self.raw, re.DOTALL)
        assert found
        read, self.raw = self.raw[: found.end()], self.raw[found.end() :]
        return read

    def _until(self, is_there: Any, pattern: str, step_s: float = 0.2) -> None:
        end = time.monotonic() + ENOUGH_S
        while not is_there():
            if time.monotonic() > end:
                seen = f"no {pattern!r} in\n{self.shown}\n{self.raw[-2000:]!r}"
                raise AssertionError(f"{seen}\n{self._state()}")
            self.read(step_s)

    def _state(self) -> str:
        """Return how the command is: a test that has waited in vain shows it."""
        if self.process.poll() is None:
            return Path(f"/proc/{self.process.pid}/status").read_text()
        assert self.process.stderr
        return f"ended with {self.process.returncode}: {self.process.stderr.read().decode()}"

    def settle(self) -> str:
        """Read until the command has taken all keys and rests; return what is shown.

        For a terminal that answers: without answers, it also rests between two parts.
        """
        self._until(self._rests, "rest", 0.01)
        return self.shown

    def _rests(self) -> bool:
        """Say whether it has nothing left to do.

        In this order: it sleeps after it has taken the last key, and has written nothing since.
        """
        return not self._keys_left() and self._waits_for_input() and not _is_readable(self.master)

    def _waits_for_input(self) -> bool:
        """Say whether it sleeps in its loop.

        The loop's select() looks beyond the standard descriptors; the one that waits for the rest
        of a key does not.
        """
        return descriptors_waited_for(self.process.pid) > _STANDARD

    def wait_for_keys(self) -> None:
        """Wait, without reading, until the command has taken all keys."""
        while self._keys_left():
            time.sleep(0.01)

    def _keys_left(self) -> int:
        _is_readable(self._slave)  # only this waits until what was typed has come through
        left = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(left, "little")

    def resize(self, lines: int, columns: int) -> None:
        self.raw = ""
        self.screen.reset()
        self.screen.resize(lines, columns)
        termios.tcsetwinsize(self._slave, (lines, columns))
        self.process.send_signal(signal.SIGWINCH)

    def attributes(self) -> Any:
        return termios.tcgetattr(self._slave)

    def end(self) -> int:
        """Wait for the end of the command, reading what it writes."""
        end = time.monotonic() + ENOUGH_S
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        return self.process.wait(0)

    def kill(self) -> None:
        """End the command whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
