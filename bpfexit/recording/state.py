"""What a recording has said so far of its host and its guests, for the snapshots that follow."""

from dataclasses import replace

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.model.guest import Guest
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Snapshot

LIMIT = 256 << 20
"""Bytes about guests, roughly, after one header: a hostile file is not to fill the memory."""

_GUEST, _REGION = 1000, 200
"""Bytes that one takes beside its text."""


class Known:
    """Grows with the lines of a recording; after another header comes another one."""

    def __init__(self, facts: HostFacts | None = None) -> None:
        self._facts = facts or HostFacts()
        self._of: dict[int, dict[str, Guest]] = {}  # by process and name
        self._names: dict[int, str] = {}
        self._ended: set[int] = set()
        self._maps: dict[tuple[Region, ...], tuple[Region, ...]] = {}
        self._size = 0
        self._guests: tuple[Guest, ...] | None = ()

    def add(self, guest: Guest) -> None:
        """Note what is known of a guest by now. Raises `BpfexitError` when it is too much.

        Guests of the same machine have the same memory map: it is kept once.
        """
        regions = self._maps.setdefault(guest.regions, guest.regions)
        if regions is guest.regions:
            self._size += sum(_REGION + len(each.name) for each in regions)
        text = (
            guest.name,
            guest.named_by,
            guest.vmm,
            *(word for pair in guest.options for word in pair),
        )
        self._size += _GUEST + sum(map(len, text))
        if self._size > LIMIT:
            raise BpfexitError(f"what is said of the guests takes more than {LIMIT >> 20} MiB")
        self._put(replace(guest, regions=regions))
        self._ended.discard(guest.pid)

    def put_into(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with its host's facts and all guests so far."""
        pids, vms = (snapshot.vcpus[name].tolist() for name in ("pid", "vm"))
        self._names.update((pid, snapshot.vms[vm]) for pid, vm in zip(pids, vms, strict=True))
        for guest in snapshot.guests:
            if guest.pid not in self._ended:
                self._end(guest)
        if self._guests is None:
            self._guests = tuple(guest for had in self._of.values() for guest in had.values())
        origin = replace(snapshot.origin, facts=self._facts)
        return replace(snapshot, origin=origin, guests=self._guests)

    def _end(self, guest: Guest) -> None:
        """Note that a process has ended, whatever guests it had."""
        self._ended.add(guest.pid)
        had = self._of.get(guest.pid)
        if not had:  # `top -j` says no more of guests than their names
            self._put(replace(guest, name=self._names.get(guest.pid, guest.name)))
            return
        for each in tuple(had.values()):
            self._put(replace(each, ended=True))

    def _put(self, guest: Guest) -> None:
        had = self._of.setdefault(guest.pid, {})
        had.pop(guest.name, None)  # the one who has the PID now is the last
        had[guest.name] = guest
        self._guests = None
