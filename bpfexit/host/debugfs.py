"""The kernel's debugging file system: its mount point."""

import ctypes
import os
from pathlib import Path

from bpfexit.errors import BpfexitError

MOUNT_POINT = "sys/kernel/debug"


def find(root: Path = Path("/")) -> Path | None:
    """Return the mount point below `root`; None if it is not mounted or may not be searched."""
    folder = root / MOUNT_POINT
    return folder if os.path.isdir(folder / "kvm") else None


def find_or_mount(root: Path = Path("/")) -> Path:
    """Return the mount point; mount it there if it is not mounted. Raises `BpfexitError`."""
    folder = find(root)
    if folder:
        return folder
    mount_point = root / MOUNT_POINT
    if os.path.isdir(mount_point) and not os.access(mount_point, os.R_OK | os.X_OK):
        raise BpfexitError(f"{mount_point} may not be searched: run bpfexit as root")
    if not os.path.ismount(mount_point):
        _mount(mount_point)
    folder = find(root)
    if folder is None:
        raise BpfexitError(f"{mount_point}/kvm does not exist: load the KVM module")
    return folder


def _mount(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"debugfs", os.fsencode(folder), b"debugfs", 0, None) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise BpfexitError(
            f"debugfs cannot be mounted at {folder} ({reason}): "
            f"run `mount -t debugfs debugfs {folder}` as root"
        )
