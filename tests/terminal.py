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

ENOUGH_S = 60.0
ALTERNATE_ON, ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"


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
        if not select.select([self.master], [], [], seconds)[0]:
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

    def _until(self, is_there: Any, pattern: str) -> None:
        end = time.monotonic() + ENOUGH_S
        while not is_there():
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in\n{self.shown}\n{self.raw[-2000:]!r}")
            self.read(0.2)

    def settle(self) -> str:
        """Read until the command has taken all keys and rests; return what is shown."""
        spent = -1
        while True:
            was, spent = spent, self._cpu_ticks()
            written = self.read(0.15)
            if not written and not self._keys_left() and spent == was == self._cpu_ticks():
                return self.shown

    def wait_for_keys(self) -> None:
        """Wait, without reading, until the command has taken all keys."""
        while self._keys_left():
            time.sleep(0.01)

    def _keys_left(self) -> int:
        left = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(left, "little")

    def _cpu_ticks(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

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
