"""The kernel's tracing file system: its mount point, and its files about events."""

import ctypes
import os
import re
from pathlib import Path

MOUNT_POINT = "sys/kernel/tracing"
"""The mount point since Linux 4.1."""

_FIELD = re.compile(
    r"^\s*field:.*?(\w+)(?:\[\d*\])?;\s*offset:(\d+);(?:\s*size:(\d+);)?", re.MULTILINE
)


def find(root: Path = Path("/")) -> Path | None:
    """Return the mount point below `root`; None if it is not mounted."""
    # os.path, because Path.is_dir() raises if the folder may not be searched.
    for folder in (root / MOUNT_POINT, root / "sys/kernel/debug/tracing"):
        if os.path.isdir(folder / "events"):
            return folder
    return None


def is_hidden(root: Path = Path("/")) -> bool:
    """Return whether this process may not look into the mount point (root's, mode 0700)."""
    folder = root / MOUNT_POINT
    return os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK)


def mount(root: Path = Path("/")) -> Path:
    """Mount it and return the mount point. Raises `OSError` if that is not allowed."""
    folder = root / MOUNT_POINT
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tracefs", os.fsencode(folder), b"tracefs", 0, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(folder))
    return folder


def event_format(tracefs: Path, event: str) -> str | None:
    """Return the text of the format file of `group:name`; None if the event does not exist.

    Raises `OSError` if the file exists and cannot be read.
    """
    group, name = event.split(":")
    try:
        return (tracefs / "events" / group / name / "format").read_text()
    except FileNotFoundError:
        return None


def event_id(tracefs: Path, event: str) -> int:
    """Return perf's number of `group:name`. Raises `OSError`."""
    group, name = event.split(":")
    return int((tracefs / "events" / group / name / "id").read_text())


def field_offsets(text: str) -> dict[str, int]:
    """Return the offset in bytes of each field in an event's record, by name."""
    return {name: int(offset) for name, offset, _ in _FIELD.findall(text)}


def field_sizes(text: str) -> dict[str, int]:
    """Return the size in bytes of each field in an event's record, by name."""
    return {name: int(size) for name, _, size in _FIELD.findall(text) if size}
