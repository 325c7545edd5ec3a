"""The kernel release of this host, and what follows from it."""

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
    """Return the first two numbers of the release; if unknown, high ones that pass all checks."""
    match = re.match(r"(\d+)\.(\d+)", release_text(root))
    return (int(match[1]), int(match[2])) if match else (999, 0)


def preempts_raw_tracepoints(root: Path = Path("/")) -> bool:
    """Return whether a raw tracepoint program may be preempted and thus miss events."""
    return release(root) >= PREEMPTIBLE_TRACEPOINTS
