"""Names of guests, from what their processes say of themselves."""

import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from bpfexit.errors import BpfexitError


def vm_name(pid: int, root: Path = Path("/")) -> str:
    """Return QEMU's `-name`, else `pid:N`. The text is the guest owner's: not to be trusted."""
    try:
        command = (root / "proc" / str(pid) / "cmdline").read_bytes()
    except OSError:
        return f"pid:{pid}"
    arguments = command.decode(errors="replace").split("\0")
    for option, value in pairwise(arguments):
        if option in ("-name", "--name") and value:
            return _qemu_name(value) or f"pid:{pid}"
    return f"pid:{pid}"


def _qemu_name(value: str) -> str:
    """Read QEMU's `[guest=]NAME[,option=...]`, in which a comma is written twice."""
    parts = value.replace(",,", "\0").split(",")
    for part in parts:
        if part.startswith("guest="):
            return part.removeprefix("guest=").replace("\0", ",")
    return parts[0].replace("\0", ",") if "=" not in parts[0] else ""


def doubts(pids: Iterable[int], root: Path = Path("/")) -> list[str]:
    """Say which of these processes run no guest now. Raises `BpfexitError` for one not there."""
    return [
        f"process {pid} has no KVM guest now; exits are counted as soon as it has"
        for pid in pids
        if not has_guest(pid, root)
    ]


def has_guest(pid: int, root: Path = Path("/")) -> bool:
    """Say whether a process holds a KVM VM open."""
    folder = root / "proc" / str(pid) / "fd"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        raise BpfexitError(f"there is no process {pid}: `pgrep -a qemu` lists QEMU's") from None
    return any(_link(folder / name) == "anon_inode:kvm-vm" for name in names)


def running(root: Path = Path("/")) -> list[int]:
    """Return the processes that hold a KVM VM open now, as far as this user may see."""
    pids = sorted(int(name) for name in os.listdir(root / "proc") if name.isdecimal())
    return [pid for pid in pids if _may_have_guest(pid, root)]


def _may_have_guest(pid: int, root: Path) -> bool:
    try:
        return has_guest(pid, root)
    except (BpfexitError, OSError):  # it has ended, or is another user's
        return False


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
