"""The kernel's tracing file system: where it is mounted, and what its event files say."""

import ctypes
import os
import re
from pathlib import Path

MOUNT_POINT = "sys/kernel/tracing"
"""Where it belongs since Linux 4.1."""

_FIELD = re.compile(r"^\s*field:.*?(\w+)(?:\[\d*\])?;\s*offset:(\d+);", re.MULTILINE)


def find(root: Path = Path("/")) -> Path | None:
    """Return the mount point below `root`; None when it is not mounted."""
    # os.path, because Path.is_dir() raises where the folder may not be searched.
    for place in (root / MOUNT_POINT, root / "sys/kernel/debug/tracing"):
        if os.path.isdir(place / "events"):
            return place
    return None


def is_hidden(root: Path = Path("/")) -> bool:
    """Say whether this process may not look into its place: it is root's alone (mode 0700)."""
    place = root / MOUNT_POINT
    return os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK)


def mount(root: Path = Path("/")) -> Path:
    """Mount it at its place and return that. Raises `OSError` when that is not allowed."""
    place = root / MOUNT_POINT
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tracefs", os.fsencode(place), b"tracefs", 0, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(place))
    return place


def event_format(tracefs: Path, event: str) -> str | None:
    """Return the text of the format file of `group:name`; None when there is no such event.

    Raises `OSError` when the file is there and cannot be read.
    """
    group, name = event.split(":")
    try:
        return (tracefs / "events" / group / name / "format").read_text()
    except FileNotFoundError:
        return None


def event_id(tracefs: Path, event: str) -> int:
    """Return the number by which perf knows `group:name`. Raises `OSError`."""
    group, name = event.split(":")
    return int((tracefs / "events" / group / name / "id").read_text())


def field_offsets(text: str) -> dict[str, int]:
    """Return the offset in bytes of each field in an event's record, by name."""
    return {name: int(offset) for name, offset in _FIELD.findall(text)}
