"""Commands as a person starts and ends them: with a terminal of their own, pipes and signals."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BPFEXIT = (sys.executable, "-m", "bpfexit")
ENOUGH_S = 60.0

_F_SETPIPE_SZ = 1031
_PSELECT6 = "270"
"""The number of the system call on x86-64."""


def catches(pid: int, number: signal.Signals) -> bool:
    """Say whether a process handles a signal by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def descriptors_waited_for(pid: int) -> int:
    """Return below which descriptor the main thread looks as it sleeps in select(); 0 if not."""
    # `running`, or a number and arguments. While it runs, or could, there is no number.
    call, *arguments = Path(f"/proc/{pid}/syscall").read_text().split()
    return int(arguments[0], 16) if call == _PSELECT6 else 0


def waits_for_a_reader(pid: int) -> bool:
    """Say whether a process waits in select() until its standard output takes more."""
    return descriptors_waited_for(pid) == 1 + 1


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for its end; return its exit code and what it wrote to a pipe as stderr."""
    try:
        _, said = process.communicate(timeout=ENOUGH_S)
    finally:
        process.kill()
    return process.returncode, said


def ignoring(*numbers: signal.Signals) -> list[str]:
    """Return a prefix that starts a command with signals ignored, as nohup does."""
    names = " ".join(number.name.removeprefix("SIG") for number in numbers)
    return ["sh", "-c", f"trap '' {names}; exec \"$@\"", "sh"]


@contextmanager
def small_pipe() -> Iterator[tuple[int, int]]:
    """Yield a reader and a writer; the pipe takes one page."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, _F_SETPIPE_SZ, 4096)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


class OnTerminal:
    """A command whose controlling terminal is a pseudo-terminal; its stderr is a pipe."""

    def __init__(self, *command: str) -> None:
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TERM": "xterm-256color"},
        )
        os.close(slave)

    def until(self, text: str) -> None:
        """Read what it prints on the terminal until it has printed this."""
        seen, end = b"", time.monotonic() + ENOUGH_S
        while text.encode() not in seen:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.master], [], [], left)[0], seen  # noqa: PT018
            seen += os.read(self.master, 65536)

    def hang_up(self) -> None:
        """Close the terminal, as a closed window or a lost connection does."""
        os.close(self.master)
