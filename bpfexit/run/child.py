"""A command that bpfexit records for as long as it runs."""

import os
import select
import subprocess
from collections.abc import Callable, Sequence
from math import inf
from shutil import which

from bpfexit.errors import BpfexitError
from bpfexit.model.text import clean
from bpfexit.run.signals import Interrupts

_GRACE_S = 1.0
"""How long the command may take to end before a note reports the wait."""


def must_exist(command: Sequence[str]) -> None:
    """Raise `BpfexitError` if there is no such command: before the programs are loaded."""
    if command and which(command[0]) is None:
        raise BpfexitError(
            f"cannot start {clean(command[0])}: command not found (-o names the file)"
        )


class Child:
    """Runs a command, whose end stops the loop; leaving the context waits for its end."""

    def __init__(
        self, command: Sequence[str], interrupts: Interrupts, tell: Callable[[str], object]
    ) -> None:
        """Start it, in the same foreground. Raises `BpfexitError` if that fails."""
        if interrupts.stopped:
            raise BpfexitError(f"{clean(command[0])} is not started: a signal ended bpfexit")
        self._interrupts = interrupts
        self._tell = tell
        try:
            self._process = subprocess.Popen(command)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise BpfexitError(f"cannot start {clean(command[0])}: {why}") from None
        self._end = os.pidfd_open(self._process.pid)
        interrupts.stop_with(self._end)

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if not isinstance(error, SystemExit):  # a second signal
            self.finish()
        elif self._process.poll() is None:
            self._tell(f"process {self._process.pid} is still running")
        os.close(self._end)

    def finish(self) -> int:
        """Wait for the command's end; return its exit code as a shell would, 128 + signal.

        A signal that stops bpfexit also stops the command: Ctrl-C reaches it through the
        terminal, SIGTERM does not. A command that ignores both is waited for until a
        second signal arrives.
        """
        while self._process.poll() is None and not self._interrupts.stopped:
            self._interrupts.wait(inf)
        if self._process.poll() is None:
            self._process.terminate()
        code = self._waited()
        return code if code >= 0 else 128 - code

    def _waited(self) -> int:
        pid, told = self._process.pid, False
        # Not waitpid(): a signal that comes just before it would be handled after it.
        while not select.select([self._end], [], [], _GRACE_S)[0]:
            if not told:
                self._tell(f"waiting for process {pid} to end; a second Ctrl-C leaves it running")
            told = True
        return self._process.wait()
