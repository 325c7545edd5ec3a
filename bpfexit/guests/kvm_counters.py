"""KVM's own counters by VM, from debugfs: `kvm/TID-FD/NAME`, with the running kernel's names.

KVM counts in any case; reading costs opening some 70 small files per VM.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from stat import S_ISREG, S_IWUSR

from bpfexit.errors import BpfexitError
from bpfexit.guests.guests import VM
from bpfexit.host.processes import process_list
from bpfexit.model.event_counts import Key, Owner, Reading, Source

_VM = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)
"""The thread that created the VM, and its descriptor in that thread's process."""

_NUMBER = re.compile(rb"[0-9]{1,20}\s*", re.ASCII)

_FIRST_BUCKET_ONLY = "_hist"
"""Histograms, whose files show only their first bucket."""

_PEAK = "max_"
"""A peak may be cleared, as counters may, but does not count."""

LOCKED_DOWN = (
    "the kernel's lockdown forbids reading KVM's counters in debugfs; gauges can be read, and "
    "--tracepoints counts events"
)


class KvmCounters:
    """Reads the counters of all VMs, or those of some processes, whose names match."""

    def __init__(
        self,
        debugfs: Path,
        matches: Callable[[str], bool],
        name_of: Callable[[int], str],
        pids: tuple[int, ...] = (),
        root: Path = Path("/"),
    ) -> None:
        """`name_of` returns the name of the guest of a process."""
        self._folder = debugfs / "kvm"
        self._matches = matches
        self._name_of = name_of
        self._pids = pids
        self._root = root
        self.refused = 0

    def read(self) -> Reading:
        """Return the counters now. Raises `BpfexitError` if debugfs cannot be listed.

        `refused` is then the number of files that could not be read.
        """
        values: dict[Key, int] = {}
        self.refused = 0
        for vm, tid, fd in self._vms():
            pid = process_of(tid, fd, self._root)
            if self._pids and pid not in self._pids:
                continue
            owner = Owner(self._name_of(pid) if pid else f"vm:{vm}", pid, vm=vm)
            values.update(self._values(owner, self._folder / vm))
        return Reading(time.monotonic_ns(), values)

    def _vms(self) -> Iterator[tuple[str, int, int]]:
        try:
            names = os.listdir(self._folder)
        except OSError as error:
            raise BpfexitError(
                f"cannot list {self._folder}: {error.strerror}; run bpfexit as root"
            ) from None
        for name in sorted(names):
            if match := _VM.fullmatch(name):
                yield name, int(match[1]), int(match[2])

    def _values(self, owner: Owner, folder: Path) -> Mapping[Key, int]:
        values: dict[Key, int] = {}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._matches(entry.name) and not entry.name.endswith(_FIRST_BUCKET_ONLY):
                        self._add(values, owner, entry)
        except OSError:  # the VM has ended meanwhile: what was read of it is kept
            pass
        return values

    def _add(self, values: dict[Key, int], owner: Owner, entry: os.DirEntry[str]) -> None:
        mode = entry.stat(follow_symlinks=False).st_mode
        if not S_ISREG(mode):
            return
        try:
            with open(entry.path, "rb") as file:
                text = file.read(64)
        except PermissionError:
            self.refused += 1
            return
        except OSError:
            return
        if _NUMBER.fullmatch(text):
            # KVM lets its user clear what counts, and only that.
            counts = mode & S_IWUSR and not entry.name.startswith(_PEAK)
            source = Source.COUNTER if counts else Source.GAUGE
            values[Key(owner, source, entry.name)] = int(text)


def process_of(tid: int, fd: int, root: Path = Path("/")) -> int:
    """Return the process of the thread that created a VM; 0 if it is unknown.

    If the thread has ended, or another thread has its number, the VM is that of the only process
    that has a VM open at this descriptor.
    """
    pid = _group_of(tid, root)
    if pid and _has_vm(pid, fd, root):
        return pid
    holders = [pid for pid in process_list(root) if _has_vm(pid, fd, root)]
    return holders[0] if len(holders) == 1 else 0


def _group_of(tid: int, root: Path) -> int:
    try:
        text = (root / "proc" / str(tid) / "status").read_text(errors="replace")
    except OSError:
        return 0
    match = re.search(r"^Tgid:\s*([0-9]+)$", text, re.MULTILINE)
    return int(match[1]) if match else 0


def _has_vm(pid: int, fd: int, root: Path) -> bool:
    try:
        return os.readlink(root / "proc" / str(pid) / "fd" / str(fd)) == VM
    except OSError:
        return False
