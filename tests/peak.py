"""Running a program, to see how much memory it takes at most."""

import subprocess
import sys
from dataclasses import dataclass

BPFEXIT = (sys.executable, "-m", "bpfexit")

# A process starts with the peak of the one that it was forked from (exec keeps it in ru_maxrss),
# so the program is started from a small one, and not from a large pytest.
_LAUNCHER = """
import os, sys
nothing = os.open(os.devnull, os.O_WRONLY)
actions = [(os.POSIX_SPAWN_DUP2, nothing, 1)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10)
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended, what it printed to stderr, and what was resident at most."""

    code: int
    errors: str
    peak_mib: int


def run(command: list[str]) -> Ended:
    """Run it to its end; what it prints to stdout is dropped."""
    launched = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *command], capture_output=True, text=True, check=True
    )
    code, peak = map(int, launched.stdout.split())
    return Ended(code, launched.stderr, peak)
