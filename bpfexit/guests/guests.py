"""Guests: who runs one, and what is known of each, by process."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.guests.guest_names import guest_name, guest_vmm
from bpfexit.guests.qemu_options import qemu_options
from bpfexit.host.check import Status
from bpfexit.host.privileges import process_ids
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
        before, now = self._processes.get(pid), self._look(pid)
        known = self._of.get(pid, ())
        if not known or (now and not (before and before.is_still(now))):
            self._processes[pid] = now
            gone = [replace(guest, ended=True) for guest in known[-1:] if before]
            return (*gone, self._mapped(self._read(pid, ended=bool(now and now.ended))))
        return self._going_on(known, ended=before is not None and (now is None or now.ended))

    def _later(self, pid: int) -> tuple[Guest, ...]:
        """Return the guest of a process whose vCPUs are gone: it may follow them, or not."""
        before, now = self._processes[pid], self._look(pid)
        lives = before is not None and now is not None and before.is_still(now) and not now.ended
        return self._going_on(self._of[pid], ended=not lives)

    def _look(self, pid: int) -> Process | None:
        """Read about a process; one that cannot be read about is what it was."""
        try:
            return process(pid, self._root)
        except OSError:
            return self._processes.get(pid)

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
    """Say of which of these processes it is not certain that they run a guest now.

    Raises `BpfexitError` for a process that does not exist.
    """
    if process_ids(root).status is not Status.OK:
        return []  # they are the host's ids, and this /proc has others
    return [doubt for pid in pids if (doubt := _doubt(pid, root))]


def _doubt(pid: int, root: Path) -> str:
    found = has_guest(pid, root)
    if found is None:
        return (
            f"whether process {pid} runs a KVM guest is unknown without CAP_SYS_PTRACE; "
            "its exits are counted if it does"
        )
    return "" if found else f"process {pid} is not running a KVM guest; waiting for one"


def has_guest(pid: int, root: Path = Path("/")) -> bool | None:
    """Say whether a process holds a KVM VM open; None when this process may not look.

    Raises `BpfexitError` for a process that does not exist.
    """
    folder = root / "proc" / str(pid) / "fd"
    try:
        links = [_link(folder / name) for name in os.listdir(folder)]
    except (FileNotFoundError, ProcessLookupError):
        if _exists(pid):
            return None  # /proc is mounted with hidepid=2
        raise BpfexitError(
            f"no such process: {pid} (list processes of QEMU with `pgrep -a qemu`)"
        ) from None
    except PermissionError:
        return None
    if "anon_inode:kvm-vm" in links:
        return True
    return None if None in links else False


def running(root: Path = Path("/")) -> list[int]:
    """Return the processes that hold a KVM VM open now, as far as this process may look."""
    return [pid for pid in _processes(root) if _looked(pid, root)]


def candidates(root: Path = Path("/")) -> list[int]:
    """Return those, and any that may not be looked into but runs a program for guests."""
    found = ((pid, _looked(pid, root)) for pid in _processes(root))
    return [pid for pid, has in found if has or (has is None and guest_vmm(pid, root))]


def _processes(root: Path) -> list[int]:
    return sorted(int(name) for name in os.listdir(root / "proc") if name.isdecimal())


def _looked(pid: int, root: Path) -> bool | None:
    try:
        return has_guest(pid, root)
    except BpfexitError:  # it has ended
        return False


def _exists(pid: int) -> bool:
    """Say whether there is such a process, whatever /proc shows."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _link(path: Path) -> str | None:
    """Return where a descriptor leads; None when this process may not know."""
    try:
        return os.readlink(path)
    except FileNotFoundError:  # closed in the meantime
        return ""
    except PermissionError:
        return None
