"""The guests of processes: which processes run one, and what is known about each."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.guests.guest_names import guest_vmm
from bpfexit.guests.maps.published import GuestKey, Mapped, Maps, NoMaps, guest_key
from bpfexit.guests.noticed import Noticed, process_now
from bpfexit.guests.reading import read_guest
from bpfexit.host.check import Status
from bpfexit.host.privileges import process_ids
from bpfexit.host.processes import Process, descriptors, process_list
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest, Identity

VM = "anon_inode:kvm-vm"
"""Target of the descriptor of a KVM VM; a process that holds one runs a guest."""


class Guests:
    """What is known about guests, each from the first of its vCPUs on.

    A process is identified by its PID and start time (`Identity`), so a later process with the same
    PID is another guest. If the start time is unknown, only `/proc` shows that. `maps` receives the
    living guests at each update; a map that it returns becomes the guest's.
    """

    def __init__(
        self,
        maps: Maps | None = None,
        root: Path = Path("/"),
        running: Callable[[], Iterable[int]] = tuple,
    ) -> None:
        """Take what lists the running guests: some may not exit. The first update calls it."""
        self._maps = maps or NoMaps()
        self._running: Callable[[], Iterable[int]] | None = running
        self._root = root
        self._processes: dict[Identity, Process | None] = {}
        self._of: dict[Identity, tuple[Guest, ...]] = {}
        self._noticed = Noticed(root)
        self._guests: tuple[Guest, ...] = ()

    def notice(self, identity: Identity) -> Guest | None:
        """Read a guest's name now, because its process may end before the next update.

        Return what is known about it. The only method that another thread may call.
        """
        known = self._of.get(identity)
        return known[-1] if known else self._noticed.notice(identity)

    def update(self, seen: Mapping[Identity, bool]) -> tuple[Guest, ...]:
        """Return the guests of these processes and of earlier ones; unchanged, the same tuple.

        `seen` tells for each process whether a thread of its vCPUs lives. A guest stays while its
        process lives, and afterwards as ended: for one update at least, and until `MOST_ENDED`
        other guests have ended that are no longer seen either. If another process has the PID by
        now, or the process runs another program, the earlier guest comes first. A process that was
        never visible (in another PID namespace, or ended too soon) is `pid:N`.
        """
        self._find_running(seen)
        ended = [identity for identity, known in self._of.items() if known[-1].ended]
        everyone = dict.fromkeys((*self._of, *sorted(seen, key=lambda identity: identity.started)))
        for identity in everyone:
            self._of[identity] = (
                self._now(identity, seen[identity]) if identity in seen else self._later(identity)
            )
        self._noticed.clear()
        self._forget([identity for identity in ended if identity not in seen])
        self._take_maps()
        guests = tuple(chain.from_iterable(self._of.values()))
        if guests != self._guests:
            self._guests = guests
        return self._guests

    def _find_running(self, seen: Iterable[Identity]) -> None:
        """Take the running guests, once, and then those of them that are seen by their start."""
        if self._running:
            for pid in sorted({*self._running()} - {identity.pid for identity in seen}):
                if self._process(Identity(pid)):
                    self._of[Identity(pid)] = self._now(Identity(pid), lives=True)
            self._running = None
        for identity in [each for each in seen if each.started and Identity(each.pid) in self._of]:
            self._of[identity] = self._of.pop(Identity(identity.pid))
            self._processes[identity] = self._processes.pop(Identity(identity.pid))

    def guest(self, identity: Identity) -> Guest:
        """Return what is known about a process's guest; only its PID if nothing else is known."""
        known = self._of.get(identity)
        return known[-1] if known else unnamed(identity.pid)

    def _process(self, identity: Identity) -> Process | None:
        """Return a process as it is now; None if it is not visible or another one has its PID.

        A process that may not be read is returned as it was.
        """
        try:
            return process_now(identity, self._root)
        except OSError:
            return self._processes.get(identity)

    def _now(self, identity: Identity, lives: bool) -> tuple[Guest, ...]:
        """Return the guest of a process, preceded by the guest that it was before."""
        before, now = self._processes.get(identity), self._process(identity)
        known = self._of.get(identity, ())
        if not known and (noticed := self._noticed.get(identity)):
            before, guest = noticed
            self._processes[identity] = before
            known = (_distinct(guest, self._of),)
        if not known or (now and not (before and before.is_still(now))):
            self._processes[identity] = now
            gone = [_ended(guest) for guest in known[-1:] if before]
            return (*gone, self._first(identity, now, lives))
        in_sight = now is not None and not now.ended
        return self._going_on(known, lives=in_sight if before else lives)

    def _later(self, identity: Identity) -> tuple[Guest, ...]:
        """Return the guest of a process whose vCPUs have ended; the process may have ended, too."""
        if self._of[identity][-1].ended:
            return self._of[identity]
        before, now = self._processes[identity], self._process(identity)
        lives = before is not None and now is not None and before.is_still(now) and not now.ended
        return self._going_on(self._of[identity], lives)

    def _first(self, identity: Identity, now: Process | None, lives: bool) -> Guest:
        another = identity.started and now is None  # another process has its PID, or none
        guest = unnamed(identity.pid) if another else read_guest(identity.pid, self._root)
        guest = _distinct(guest, self._of)
        lives = not now.ended if now else lives
        return guest if lives else _ended(guest)

    def _going_on(self, known: tuple[Guest, ...], lives: bool) -> tuple[Guest, ...]:
        return known if lives else (*known[:-1], _ended(known[-1]))

    def _forget(self, ended: list[Identity]) -> None:
        """Forget the ended guests that were seen first."""
        for identity in ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._of[identity], self._processes[identity]

    def living(self) -> dict[GuestKey, Guest]:
        """Return the guests that had not ended at the last update, by key."""
        return {key: self._of[identity][-1] for key, identity in self._living().items()}

    def _living(self) -> dict[GuestKey, Identity]:
        return {
            guest_key(known[-1], self._processes[identity]): identity
            for identity, known in self._of.items()
            if not known[-1].ended
        }

    def _take_maps(self) -> None:
        """Assign the known maps to the living guests; without a new map, a guest keeps its own."""
        maps = self._maps(self.living())
        for key, identity in self._living().items():
            if key in maps:
                *before, guest = self._of[identity]
                self._of[identity] = (*before, _mapped(guest, maps[key]))

    def failures(self) -> tuple[str, ...]:
        """Return why memory maps cannot be read now, a sentence each."""
        return self._maps.failures()

    def close(self) -> None:
        """Stop reading memory maps."""
        self._maps.close()


def _distinct(guest: Guest, known: Mapping[Identity, tuple[Guest, ...]]) -> Guest:
    """Give a number to a guest without a name if an earlier one had its PID."""
    if guest.named_by:
        return guest
    taken = {
        other.name
        for identity, guests in known.items()
        if identity.pid == guest.pid
        for other in guests
    }
    names = chain([guest.name], (f"{guest.name}#{number}" for number in count(2)))
    return replace(guest, name=next(name for name in names if name not in taken))


def _ended(guest: Guest) -> Guest:
    return guest if guest.ended else replace(guest, ended=True)


def _mapped(guest: Guest, mapped: Mapped) -> Guest:
    regions, source = mapped
    if (regions, source) == (guest.regions, guest.mapped_by):
        return guest
    return replace(guest, regions=regions, mapped_by=source)


def unnamed(pid: int) -> Guest:
    """Return a guest of which only the PID is known."""
    return Guest(pid, f"pid:{pid}")


def guests_of(pids: Iterable[int], root: Path = Path("/")) -> tuple[Guest, ...]:
    """Return the guests of these processes as they are now."""
    return Guests(root=root).update({Identity(pid): True for pid in pids})


def living_guests(pids: Iterable[int], root: Path = Path("/")) -> dict[GuestKey, Guest]:
    """Return the guests of these processes that have not ended, by key."""
    known = Guests(root=root)
    known.update({Identity(pid): True for pid in pids})
    return known.living()


def warnings(pids: Iterable[int], root: Path = Path("/")) -> list[str]:
    """Return a sentence for each process that may not run a guest.

    Raises `BpfexitError` if a process does not exist.
    """
    if process_ids(root).status is not Status.OK:
        return []  # the PIDs are the host's, and this /proc is another PID namespace's
    return [doubt for pid in pids if (doubt := _doubt(pid, root))]


def _doubt(pid: int, root: Path) -> str:
    owner = has_guest(pid, root)
    if owner is None:
        return (
            f"whether process {pid} runs a KVM guest is unknown without CAP_SYS_PTRACE; "
            "its exits are counted if it does"
        )
    return "" if owner else f"process {pid} is not running a KVM guest; waiting for one"


def has_guest(pid: int, root: Path = Path("/")) -> bool | None:
    """Return whether a process holds a KVM VM open; None if that may not be read.

    Raises `BpfexitError` if the process does not exist.
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


def running(root: Path = Path("/"), pids: Collection[int] = ()) -> list[int]:
    """Return the processes that hold a KVM VM open, as far as that may be read.

    With `pids`, only these are looked at. None in another PID namespace than the host's, whose
    numbers the programs have.
    """
    if process_ids(root).status is not Status.OK:
        return []
    return [pid for pid in (pids or process_list(root)) if _looked(pid, root)]


def candidates(root: Path = Path("/")) -> list[int]:
    """Return the same, and processes of VMMs whose descriptors may not be read."""
    looked = ((pid, _looked(pid, root)) for pid in process_list(root))
    return [pid for pid, has in looked if has or (has is None and guest_vmm(pid, root))]


def _looked(pid: int, root: Path) -> bool | None:
    try:
        return has_guest(pid, root)
    except BpfexitError:  # it has ended
        return False


def _exists(pid: int) -> bool:
    """Return whether a process exists, whatever /proc shows."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
