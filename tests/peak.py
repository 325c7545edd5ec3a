"""Running a program, to see how much memory it takes at most."""

import os
import sys
from dataclasses import dataclass
from tempfile import TemporaryFile

BPFEXIT = (sys.executable, "-m", "bpfexit")


@dataclass(frozen=True)
class Ended:
    """How a program ended, what it printed to stderr, and what was resident at most."""

    code: int
    errors: str
    peak_mib: int


def run(command: list[str]) -> Ended:
    """Run it to its end; what it prints to stdout is dropped."""
    with TemporaryFile() as errors, open(os.devnull, "wb") as nothing:
        actions = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 1)]
        actions += [(os.POSIX_SPAWN_DUP2, errors.fileno(), 2)]
        pid = os.posix_spawn(command[0], list(command), os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        errors.seek(0)
        text = errors.read().decode()
    return Ended(os.waitstatus_to_exitcode(status), text, usage.ru_maxrss >> 10)
