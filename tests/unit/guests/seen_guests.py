"""Guests that were seen, and two processes that had one PID."""

import os
import shutil
from pathlib import Path

from bpfexit.model.guest import Guest, Identity

PID = 4711
WEB = Guest(PID, "web", "qemu", "qemu")


def seen(*pids: int) -> dict[Identity, bool]:
    """Return processes of unknown start, whose vCPUs' threads live."""
    return {Identity(pid): True for pid in pids}


def gone(root: Path) -> None:
    shutil.rmtree(root / "proc" / str(PID))


HZ = os.sysconf("SC_CLK_TCK")
FIRST = Identity(PID, 1000 * 10**9 // HZ + 1)
SECOND = Identity(PID, 2000 * 10**9 // HZ + 1)
