"""Which kernel this host runs, and what follows from its release."""

import re
from pathlib import Path

PREEMPTIBLE_TRACEPOINTS = (6, 19)
"""From about this release on (7.2 does, 6.18 does not) raw tracepoint programs can be preempted.

When another thread then fires the same tracepoint on that CPU, the kernel skips
the program there: a miss. Classic tracepoint programs are still not preempted.
"""


def release_text(root: Path = Path("/")) -> str:
    """Return the release as the kernel writes it; empty if it cannot be read."""
    try:
        return (root / "proc/sys/kernel/osrelease").read_text().strip()
    except OSError:
        return ""


def release(root: Path = Path("/")) -> tuple[int, int]:
    """Return the release's first two numbers; high ones, which pass all checks, if unknown."""
    found = re.match(r"(\d+)\.(\d+)", release_text(root))
    return (int(found[1]), int(found[2])) if found else (999, 0)


def preempts_raw_tracepoints(root: Path = Path("/")) -> bool:
    """Return whether a raw tracepoint program may be preempted and thus miss events."""
    return release(root) >= PREEMPTIBLE_TRACEPOINTS
