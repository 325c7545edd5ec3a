"""The state of a recording up to a line: its host and its guests, for the snapshots after it.

A snapshot has the guests that a live one would have: the living ones, and those whose end
its line reports. Guests that ended long before are in none, or each would cost all of them.
"""

from collections import OrderedDict
from dataclasses import replace
from itertools import chain
from operator import attrgetter, methodcaller

from bpfexit.events.region import Region
from bpfexit.formats.json.values import TooLargeError, shortened
from bpfexit.model.guest import Guest, guests_size, map_size
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Snapshot

LIMIT = 64 << 20
"""Maximum bytes of the guests of one time, roughly: a hostile file must not fill the memory."""

MOST_NAMES = 16384
"""Maximum names of processes that are kept for lines which report only their end."""

_PID, _VALUES = attrgetter("pid"), methodcaller("values")
"""Called for each guest of each interval."""


class Known:
    """Grows with the lines of a recording; each header begins a new one."""

    def __init__(self, facts: HostFacts | None = None) -> None:
        self._facts = facts or HostFacts()
        self._of: dict[int, dict[str, Guest]] = {}  # by process and name
        self._new: set[int] = set()  # processes without a snapshot since their line
        self._names: OrderedDict[int, str] = OrderedDict()
        self._maps: dict[tuple[Region, ...], tuple[Region, ...]] = {}
        self._size = 0
        self._guests: tuple[Guest, ...] = ()
        self._ended: frozenset[int] = frozenset()  # of the last line
        self._changed = False

    def add(self, guest: Guest) -> None:
        """Add what is known of a guest. Raises `TooLargeError` if it is too much.

        Guests of the same machine have the same memory map, which is kept once.
        """
        regions = self._maps.setdefault(guest.regions, guest.regions)
        if regions is guest.regions:
            self._size += map_size(regions)
        self._size += guest.size
        self._put(replace(guest, regions=regions))
        self._new.add(guest.pid)
        if self._size > LIMIT:
            self._measure()

    def put_into(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with its host's facts and the guests of its time."""
        self._name(snapshot)
        ended = frozenset(map(_PID, snapshot.guests))
        if self._new or ended != self._ended:
            news = ended - (self._ended - self._new)
            for guest in snapshot.guests if news else ():
                if guest.pid in news:
                    self._end(guest)
            self._forget(ended | self._new)
            self._ended, self._new = ended, set()
        if self._changed:
            self._guests = tuple(chain.from_iterable(map(_VALUES, self._of.values())))
            self._changed = False
        origin = replace(snapshot.origin, facts=self._facts)
        return replace(snapshot, origin=origin, guests=self._guests)

    def _name(self, snapshot: Snapshot) -> None:
        """Keep the names of its vCPUs' processes; those seen first are forgotten first."""
        pids, vms = (snapshot.vcpus[name].tolist() for name in ("pid", "vm"))
        names = [*map(shortened, snapshot.vms)]
        self._names.update((pid, names[vm]) for pid, vm in zip(pids, vms, strict=True))
        while len(self._names) > MOST_NAMES:
            self._names.popitem(last=False)

    def _end(self, guest: Guest) -> None:
        """Mark all guests of a process as ended."""
        had = self._of.get(guest.pid)
        if not had:  # `top -j` writes only the names of guests
            self._put(replace(guest, name=self._names.get(guest.pid, guest.name)))
            return
        living = [guest for guest in had.values() if not guest.ended]
        had.update((guest.name, replace(guest, ended=True)) for guest in living)
        self._changed |= bool(living)

    def _forget(self, reported: frozenset[int]) -> None:
        """Forget processes that are not reported any more and whose guests have all ended."""
        for pid in self._of.keys() - reported:
            if all(guest.ended for guest in self._of[pid].values()):
                del self._of[pid]
                self._changed = True

    def _put(self, guest: Guest) -> None:
        had = self._of.setdefault(guest.pid, {})
        had.pop(guest.name, None)  # the guest that has the PID now comes last
        had[guest.name] = guest
        self._changed = True

    def _measure(self) -> None:
        """Recount without forgotten guests; half must be free, so that this is rare."""
        guests = [guest for had in self._of.values() for guest in had.values()]
        self._maps = {guest.regions: guest.regions for guest in guests}
        self._size = guests_size(guests)
        if self._size > LIMIT // 2:
            raise TooLargeError(
                f"its guests take more than {LIMIT >> 21} MiB of memory: "
                "record fewer guests (-p) per file"
            )
