"""Guests: who runs one, and what is known of each, by process."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.guests.guest_names import guest_name, guest_vmm
from bpfexit.guests.manager import cpu_quota, manager
from bpfexit.guests.maps.published import GuestKey, Mapped, Maps, NoMaps, guest_key
from bpfexit.guests.qemu_options import qemu_options
from bpfexit.host.check import Status
from bpfexit.host.privileges import process_ids
from bpfexit.host.processes import Process, descriptors, process, process_list
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest, Identity

VM = "anon_inode:kvm-vm"
"""Where a descriptor of a KVM VM leads: a process that has one open is a guest's."""


class Guests:
    """What is known of the guests of processes, from when the first of its vCPUs is seen.

    A process is known by its number and its start (`Identity`): another one with the same number
    is another guest. Where the start is not known, `/proc` alone tells when that has happened.
    `maps` is handed the living guests at every update. A map that it has by then is the guest's;
    it returns the same tuple while nothing changes.
    """

    def __init__(self, maps: Maps | None = None, root: Path = Path("/")) -> None:
        self._maps = maps or NoMaps()
        self._root = root
        self._processes: dict[Identity, Process | None] = {}
        self._of: dict[Identity, tuple[Guest, ...]] = {}
        self._noticed: dict[Identity, tuple[Process, Guest]] = {}
        self._guests: tuple[Guest, ...] = ()

    def notice(self, identity: Identity) -> None:
        """Read a guest's name now: its process may have ended by the next update.

        The one thing here that another thread may call.
        """
        if identity in self._noticed or identity in self._of:
            return
        now = self._process(identity)
        if now is None or now.ended:
            return
        guest = self._read(identity.pid)
        if self._process(identity) == now:  # and what was read is not of a process after it
            self._noticed[identity] = (now, guest)

    def update(self, seen: Mapping[Identity, bool]) -> tuple[Guest, ...]:
        """Look at these processes again; the same tuple comes back while nothing changes.

        `seen` says of each whether any of its vCPUs' threads lives. A guest once seen stays:
        as long as its process does, and then as one that has ended: once at least, and until
        `MOST_ENDED` others have that are not seen any more, either. Where a PID is another
        process's by now, or its own runs another program, the guest before comes first. A
        process that never was in sight (in another PID namespace, or gone too soon) is `pid:N`.
        """
        ended = [identity for identity, known in self._of.items() if known[-1].ended]
        everyone = dict.fromkeys((*self._of, *sorted(seen, key=lambda each: each.started)))
        for identity in everyone:
            self._of[identity] = (
                self._now(identity, seen[identity]) if identity in seen else self._later(identity)
            )
        self._noticed.clear()
        self._forget([identity for identity in ended if identity not in seen])
        self._take_maps()
        guests = tuple(guest for each in self._of.values() for guest in each)
        if guests != self._guests:
            self._guests = guests
        return self._guests

    def guest(self, identity: Identity) -> Guest:
        """Return what is known of a process's guest; but its number where that is nothing."""
        known = self._of.get(identity)
        return known[-1] if known else unnamed(identity.pid)

    def _process(self, identity: Identity) -> Process | None:
        """Look at a process; None when it is not in sight, or its number is another one's.

        One that cannot be read about is what it was.
        """
        try:
            found = process(identity.pid, self._root)
        except OSError:
            return self._processes.get(identity)
        if found and identity.started and not found.began_at(identity.started):
            return None
        return found

    def _now(self, identity: Identity, lives: bool) -> tuple[Guest, ...]:
        """Return the guest of a process, and before it the last one that it was."""
        before, now = self._processes.get(identity), self._process(identity)
        known = self._of.get(identity, ())
        if not known and identity in self._noticed:
            before, guest = self._noticed[identity]
            self._processes[identity] = before
            known = (self._distinct(guest),)
        if not known or (now and not (before and before.is_still(now))):
            self._processes[identity] = now
            gone = [_ended(guest) for guest in known[-1:] if before]
            return (*gone, self._first(identity, now, lives))
        in_sight = now is not None and not now.ended
        return self._going_on(known, lives=in_sight if before else lives)

    def _later(self, identity: Identity) -> tuple[Guest, ...]:
        """Return the guest of a process whose vCPUs are gone: it may follow them, or not."""
        if self._of[identity][-1].ended:
            return self._of[identity]
        before, now = self._processes[identity], self._process(identity)
        lives = before is not None and now is not None and before.is_still(now) and not now.ended
        return self._going_on(self._of[identity], lives)

    def _first(self, identity: Identity, now: Process | None, lives: bool) -> Guest:
        another = identity.started and now is None  # has its number, or nobody has
        guest = self._distinct(unnamed(identity.pid) if another else self._read(identity.pid))
        lives = not now.ended if now else lives
        return guest if lives else _ended(guest)

    def _going_on(self, known: tuple[Guest, ...], lives: bool) -> tuple[Guest, ...]:
        return known if lives else (*known[:-1], _ended(known[-1]))

    def _forget(self, ended: list[Identity]) -> None:
        """Forget those of the ended ones that were seen first."""
        for identity in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._of[identity], self._processes[identity]

    def _read(self, pid: int) -> Guest:
        name, named_by = guest_name(pid, self._root)
        vmm = guest_vmm(pid, self._root)
        options = qemu_options(pid, self._root) if vmm == "qemu" else ()
        return Guest(
            pid,
            name,
            named_by,
            vmm,
            options,
            manager=manager(pid, self._root) if vmm == "qemu" else "",
            cpu_quota=cpu_quota(pid, self._root),
        )

    def _distinct(self, guest: Guest) -> Guest:
        """Give a number to a guest without a name when another one had its PID before."""
        if guest.named_by:
            return guest
        taken = {
            other.name
            for identity, known in self._of.items()
            if identity.pid == guest.pid
            for other in known
        }
        names = chain([guest.name], (f"{guest.name}#{number}" for number in count(2)))
        return replace(guest, name=next(name for name in names if name not in taken))

    def living(self) -> dict[GuestKey, Guest]:
        """Return the guests that had not ended at the last update."""
        return {key: self._of[identity][-1] for key, identity in self._living().items()}

    def _living(self) -> dict[GuestKey, Identity]:
        return {
            guest_key(known[-1], self._processes[identity]): identity
            for identity, known in self._of.items()
            if not known[-1].ended
        }

    def _take_maps(self) -> None:
        """Give each living guest the map that is known by now; what it had stays otherwise."""
        maps = self._maps(self.living())
        for key, identity in self._living().items():
            if key in maps:
                *before, guest = self._of[identity]
                self._of[identity] = (*before, _mapped(guest, maps[key]))

    def failures(self) -> tuple[str, ...]:
        """Return what keeps memory maps from being read now, a sentence each."""
        return self._maps.failures()

    def close(self) -> None:
        """Read no more memory maps."""
        self._maps.close()


def _ended(guest: Guest) -> Guest:
    return guest if guest.ended else replace(guest, ended=True)


def _mapped(guest: Guest, mapped: Mapped) -> Guest:
    regions, source = mapped
    if (regions, source) == (guest.regions, guest.mapped_by):
        return guest
    return replace(guest, regions=regions, mapped_by=source)


def unnamed(pid: int) -> Guest:
    """Return a guest of which only the process is known."""
    return Guest(pid, f"pid:{pid}")


def guests_of(pids: Iterable[int], root: Path = Path("/")) -> tuple[Guest, ...]:
    """Return what is known of the guests of these processes as they are now."""
    return Guests(root=root).update({Identity(pid): True for pid in pids})


def living_guests(pids: Iterable[int], root: Path = Path("/")) -> dict[GuestKey, Guest]:
    """Return those of them that have not ended."""
    known = Guests(root=root)
    known.update({Identity(pid): True for pid in pids})
    return known.living()


def warnings(pids: Iterable[int], root: Path = Path("/")) -> list[str]:
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
    try:
        links = descriptors(pid, root)
    except (FileNotFoundError, ProcessLookupError):
        if _exists(pid):
            return None  # /proc is mounted with hidepid=2
        raise BpfexitError(f"no such process: {pid} (list guests with `bpfexit guests`)") from None
    except PermissionError:
        return None
    if VM in links:
        return True
    return None if None in links else False


def running(root: Path = Path("/")) -> list[int]:
    """Return the processes that hold a KVM VM open now, as far as this process may look."""
    return [pid for pid in process_list(root) if _looked(pid, root)]


def candidates(root: Path = Path("/")) -> list[int]:
    """Return those, and any that may not be looked into but runs a program for guests."""
    found = ((pid, _looked(pid, root)) for pid in process_list(root))
    return [pid for pid, has in found if has or (has is None and guest_vmm(pid, root))]


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
