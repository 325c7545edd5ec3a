"""The threads of a guest's process, and KVM's helpers of it: what they do and what they took.

Names are given by the process and are not trusted: they only tell its own threads apart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bpfexit.host.cgroups import text
from bpfexit.host.kept_files import KeptFiles
from bpfexit.model.usage import Role

_VCPU = re.compile(r"CPU [0-9]+/KVM|vcpu ?[0-9]+|fc_vcpu [0-9]+|crosvm_vcpu[0-9]+", re.ASCII)
_VHOST = re.compile(r"vhost-([0-9]+)", re.ASCII)
_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*([0-9,-]+)$", re.MULTILINE | re.ASCII)
_KTHREADD = 2


@dataclass(frozen=True)
class Counts:
    """CPU time and waiting of a thread since it began, ns, as the scheduler counts them."""

    cpu_ns: int
    wait_ns: int


def thread_folder(pid: int, tid: int, root: Path) -> Path:
    """Return the folder of a thread."""
    return root / "proc" / str(pid) / "task" / str(tid)


def thread_ids(pid: int, root: Path) -> list[int]:
    """Return the threads of a process. Raises `OSError` if it has ended."""
    return [int(name) for name in os.listdir(f"{root}/proc/{pid}/task") if name.isdecimal()]


def counts(schedstat: str, files: KeptFiles) -> Counts | None:
    """Return the counts in this file of a thread; None if it has none, or the thread has ended.

    A kernel that does not count writes zeros: a thread that has run has run at least once.
    """
    try:
        cpu_ns, wait_ns, times = map(int, files.read(schedstat).split())
    except (OSError, ValueError):
        return None
    return Counts(cpu_ns, wait_ns) if times else None


def role(tid: int, folder: Path, vcpus: Collection[int]) -> Role:
    """Return what a thread does: its name says so, where QEMU runs with `debug-threads=on`.

    libvirt does that. `vcpus` are known to be those of vCPUs.
    """
    name = text(folder / "comm").rstrip("\n")
    if tid in vcpus or _VCPU.fullmatch(name):
        return Role.VCPU
    if _VHOST.fullmatch(name):  # since Linux 6.4
        return Role.VHOST
    return Role.IOTHREAD if name.startswith("IO ") else Role.EMULATOR


def allowed_cpus(folder: Path) -> str:
    """Return the CPUs on which a thread may run, as the kernel lists them; "" if unknown."""
    match = _ALLOWED.search(text(folder / "status"))
    return match[1] if match else ""


class VhostThreads:
    """The kernel threads `vhost-PID` of guests, which Linux had before 6.4."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._owners: dict[int, int] = {}  # of every kernel thread; 0 for one that is no worker
        self._of: dict[int, list[int]] = {}

    def look(self) -> None:
        """Find them again; a kernel thread keeps its name, so only new ones are looked at."""
        folder = self._root / "proc" / str(_KTHREADD)
        if text(folder / "comm").strip() != "kthreadd":
            return  # another PID namespace's
        found = text(folder / "task" / str(_KTHREADD) / "children").split()
        pids = [int(pid) for pid in found if pid.isdecimal()]
        self._owners = {pid: self._owner(pid) for pid in pids}
        self._of = {}
        for pid, owner in self._owners.items():
            self._of.setdefault(owner, []).append(pid)

    def of(self, pid: int) -> Collection[int]:
        """Return those that work for a process."""
        return self._of.get(pid, ())

    def _owner(self, pid: int) -> int:
        if pid in self._owners:
            return self._owners[pid]
        match = _VHOST.fullmatch(text(self._root / "proc" / str(pid) / "comm").strip())
        return int(match[1]) if match else 0
