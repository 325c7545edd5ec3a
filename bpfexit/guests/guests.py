"""Guests: who runs one, and what is known of each, by process."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.guests.guest_names import guest_name, guest_vmm
from bpfexit.guests.qemu_options import qemu_options
from bpfexit.host.processes import Process, process
from bpfexit.model.guest import Guest, Layer

MOST_ENDED = 256
"""Guests that have ended and are still told of when the kernel has no vCPU of theirs any more."""

Mapped = tuple[tuple[Region, ...], Layer | None]
"""A guest's memory map, and who gave it."""


def unmapped(guest: Guest) -> Mapped:
    """Know of no memory map."""
    del guest
    return (), None


class Guests:
    """What is known of the guests of processes, read again when the process is another one.

    `maps` is asked for the memory map of each living guest at every update: it is
    to keep what it found, and return the same tuple while nothing changes.
    """

    def __init__(self, maps: Callable[[Guest], Mapped] = unmapped, root: Path = Path("/")) -> None:
        self._maps = maps
        self._root = root
        self._processes: dict[int, Process | None] = {}
        self._of: dict[int, tuple[Guest, ...]] = {}
        self._guests: tuple[Guest, ...] = ()

    def update(self, pids: Iterable[int]) -> tuple[Guest, ...]:
        """Look at these processes again; the same tuple comes back while nothing changes.

        A guest once seen stays: as long as its process does, and then as one that has
        ended, until `MOST_ENDED` others have that nobody asks for any more, either. Where
        a PID is another process's by now, or its own runs another program, the guest
        before comes first. A process that never was in sight (in another PID namespace,
        say) is `pid:N`, and not taken for ended while it is asked for.
        """
        asked = dict.fromkeys(pids)
        everyone = dict.fromkeys((*self._of, *asked))
        self._of = {pid: self._now(pid) if pid in asked else self._later(pid) for pid in everyone}
        self._forget([pid for pid in self._of if pid not in asked])
        guests = tuple(guest for of_pid in self._of.values() for guest in of_pid)
        if guests != self._guests:
            self._guests = guests
        return self._guests

    def _now(self, pid: int) -> tuple[Guest, ...]:
        """Return the guest of a process, and before it the last one of that PID."""
        before, now = self._processes.get(pid), process(pid, self._root)
        known = self._of.get(pid, ())
        if not known or (now and not (before and before.is_still(now))):
            self._processes[pid] = now
            gone = [replace(guest, ended=True) for guest in known[-1:] if before]
            return (*gone, self._mapped(self._read(pid, ended=bool(now and now.ended))))
        return self._going_on(known, ended=before is not None and (now is None or now.ended))

    def _later(self, pid: int) -> tuple[Guest, ...]:
        """Return the guest of a process whose vCPUs are gone: it may follow them, or not."""
        before, now = self._processes[pid], process(pid, self._root)
        lives = before is not None and now is not None and before.is_still(now) and not now.ended
        return self._going_on(self._of[pid], ended=not lives)

    def _going_on(self, known: tuple[Guest, ...], ended: bool) -> tuple[Guest, ...]:
        last = replace(known[-1], ended=True) if ended else self._mapped(known[-1])
        return (*known[:-1], last)

    def _forget(self, pids: list[int]) -> None:
        """Forget those who were seen first of the ones that have ended."""
        ended = [pid for pid in pids if self._of[pid][-1].ended]
        for pid in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._of[pid], self._processes[pid]

    def _read(self, pid: int, ended: bool) -> Guest:
        name, named_by = guest_name(pid, self._root)
        vmm = guest_vmm(pid, self._root)
        options = qemu_options(pid, self._root) if vmm == "qemu" else ()
        return Guest(pid, name, named_by, vmm, options, ended=ended)

    def _mapped(self, guest: Guest) -> Guest:
        if guest.ended:
            return guest
        regions, layer = self._maps(guest)
        if (regions, layer) == (guest.regions, guest.mapped_by):
            return guest
        return replace(guest, regions=regions, mapped_by=layer)


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
