"""A command that something is done for as long as it runs."""

import os
import subprocess
from collections.abc import Sequence
from math import inf
from shutil import which
from types import TracebackType

from bpfexit.errors import BpfexitError
from bpfexit.model.text import clean
from bpfexit.run.signals import Interrupts


def must_exist(command: Sequence[str]) -> None:
    """Raise `BpfexitError` unless there is such a command: before anything is set up for it."""
    if command and which(command[0]) is None:
        raise BpfexitError(
            f"cannot start {clean(command[0])}: there is no such command (-o names the file)"
        )


class Child:
    """Runs a command, whose end stops the interrupts; leaving the context waits for that end."""

    def __init__(self, command: Sequence[str], interrupts: Interrupts) -> None:
        """Start it, in the foreground as we are. Raises `BpfexitError` when that fails."""
        self._interrupts = interrupts
        try:
            self._process = subprocess.Popen(command)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise BpfexitError(f"cannot start {clean(command[0])}: {why}") from None
        self._end = os.pidfd_open(self._process.pid)
        interrupts.stop_with(self._end)

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()
        os.close(self._end)

    def finish(self) -> int:
        """Wait for the command's end; return its exit code as a shell would, 128 + signal.

        When we are told to stop, so is the command. Ctrl-C has reached it already,
        as it is in the terminal's foreground; SIGTERM to us has not.
        """
        while self._process.poll() is None and not self._interrupts.stopped:
            self._interrupts.wait(inf)
        if self._process.poll() is None:
            self._process.terminate()
        code = self._process.wait()
        return code if code >= 0 else 128 - code
