"""Queries all sources of memory maps when they are due. Has no threads: see `memory_maps`."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from math import inf

from bpfexit.guests.maps.board import Board
from bpfexit.guests.maps.libvirt_maps import LibvirtMaps
from bpfexit.guests.maps.published import GuestKey
from bpfexit.guests.maps.qmp_maps import QmpMaps
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.host.cancel import Cancel
from bpfexit.model.guest import Guest


class MapReader:
    """Reads the maps of the guests that are running, and publishes each on its board.

    A map is read when the guest is first seen, and again from time to time: it changes when the
    firmware places the devices, when the guest reboots and when a device is plugged in.
    """

    def __init__(
        self,
        sources: MapSources,
        others: Container[int] = (),
        clock: Callable[[], float] = time.monotonic,
        cancel: Cancel | None = None,
    ) -> None:
        self.board = Board()
        self._clock = clock
        cancel = cancel or Cancel()
        self._qmp = QmpMaps(sources.sockets, others, self.board, clock, cancel)
        self._libvirt = LibvirtMaps(self.board, clock, cancel)
        self._with_libvirt = sources.libvirt
        self._known: frozenset[GuestKey] | None = None

    def read(self, guests: Mapping[GuestKey, Guest]) -> float:
        """Query what is due, of libvirt one map at most; return the time until the next, s."""
        self._follow(guests)
        self._qmp.read(guests)
        for_libvirt = {key: guests[key] for key in guests if self._is_for_libvirt(key)}
        self._libvirt.read(for_libvirt)
        due = min([*self._qmp.due(guests), *self._libvirt.due(for_libvirt)], default=inf)
        return max(0.0, due - self._clock())

    def unread(self, guests: Mapping[GuestKey, Guest]) -> list[str]:
        """Return the sources that have neither answered nor failed, a sentence each."""
        for_libvirt = [key for key in guests if self._is_for_libvirt(key)]
        return [*self._qmp.unread(guests), *self._libvirt.unread(for_libvirt)]

    def _follow(self, guests: Mapping[GuestKey, Guest]) -> None:
        """Note the guests that have started or ended since the last call."""
        if self._known is None:
            for name in self._qmp.waiting(guests):
                self.board.note(f"--qmp: guest {name!r} is not running; waiting for it")
        self._qmp.welcome([guests[key] for key in guests if key not in (self._known or ())])
        self.board.keep(guests)
        self._known = frozenset(guests)

    def _is_for_libvirt(self, guest: GuestKey) -> bool:
        return self._with_libvirt and not self._qmp.serves(guest)
