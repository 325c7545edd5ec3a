"""Memory maps through libvirt: which guests it runs, and when each is due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps import libvirt
from bpfexit.guests.maps.board import Board
from bpfexit.guests.maps.published import GuestKey
from bpfexit.guests.maps.schedule import Schedule
from bpfexit.host.cancel import Cancel
from bpfexit.model.guest import Guest, NameSource


@dataclass
class _Domain:
    """A guest as libvirt knows it; `uuid` is "" until libvirt has listed it."""

    uuid: str = ""
    schedule: Schedule = field(default_factory=Schedule)


class LibvirtMaps:
    """Queries one map at a time, so that a virsh that hangs delays little else."""

    def __init__(self, board: Board, clock: Callable[[], float], cancel: Cancel) -> None:
        self._board = board
        self._clock = clock
        self._cancel = cancel
        self._domains: dict[GuestKey, _Domain] = {}

    def read(self, guests: Mapping[GuestKey, Guest]) -> None:
        """List the domains if a guest is due that is none yet; then read the map longest due."""
        self._follow(guests)
        now = self._clock()
        due = [key for key in guests if self._domains[key].schedule.due <= now]
        unlisted = {key: guests[key] for key in due if not self._domains[key].uuid}
        if unlisted:
            self._list(unlisted)
        listed = [key for key in due if self._domains[key].uuid]
        if listed:
            self._read(min(listed, key=lambda key: self._domains[key].schedule.due))

    def due(self, guests: Iterable[GuestKey]) -> Iterator[float]:
        """Yield when each guest is due."""
        return (self._domains[key].schedule.due for key in guests)

    def unread(self, guests: Iterable[GuestKey]) -> Iterator[str]:
        """Yield a sentence on the guests whose maps were not queried."""
        new = [key for key in guests if key not in self._domains or self._is_new(key)]
        if new:
            yield f"--libvirt: no answer for {len(new)} of the guests before the end"

    def _is_new(self, key: GuestKey) -> bool:
        return self._domains[key].schedule.is_new

    def _follow(self, guests: Iterable[GuestKey]) -> None:
        """Forget the guests that are no longer wanted, and their failures."""
        domains = {key: self._domains.get(key) or _Domain() for key in guests}
        for key in self._domains.keys() - domains.keys():
            self._board.clear(key)
        if not domains:
            self._board.clear(libvirt)
        self._domains = domains

    def _list(self, guests: Mapping[GuestKey, Guest]) -> None:
        try:
            uuids = libvirt.domains(self._cancel)
            self._board.clear(libvirt)
        except BpfexitError as error:
            uuids = {}
            self._board.fail(libvirt, str(error))
        for key, guest in guests.items():
            domain = self._domains[key]
            domain.uuid = uuids.get(guest.name, "")
            if not domain.uuid:
                domain.schedule.postpone(self._clock())

    def _read(self, key: GuestKey) -> None:
        domain = self._domains[key]
        try:
            regions = libvirt.memory_map(domain.uuid, self._cancel)
        except BpfexitError as error:
            kept = "; its names are those of the last answer" if key in self._board.maps else ""
            self._board.fail(key, f"{error}{kept}")
            domain.uuid = ""  # by then, it may be another domain's
        else:
            self._board.publish(key, (regions, NameSource.LIBVIRT))
            self._board.clear(key)
        domain.schedule.postpone(self._clock())
