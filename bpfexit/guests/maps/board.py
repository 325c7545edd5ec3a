"""The known memory maps of guests: one thread writes them, another reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Mapping

from bpfexit.guests.maps.published import GuestKey, Mapped


class Board:
    """Maps by guest, the current failures, and notes on new ones.

    A change replaces a mapping as a whole, so its reader needs no lock.
    """

    def __init__(self) -> None:
        self.maps: Mapping[GuestKey, Mapped] = {}
        self.failures: Mapping[Hashable, str] = {}
        self._notes: deque[str] = deque()

    def publish(self, guest: GuestKey, mapped: Mapped) -> None:
        """Replace a guest's map; the same tuple stays while nothing changes."""
        if self.maps.get(guest) != mapped:
            self.maps = {**self.maps, guest: mapped}

    def keep(self, guests: Collection[GuestKey]) -> None:
        """Forget the maps of all other guests."""
        if not self.maps.keys() <= set(guests):
            self.maps = {guest: self.maps[guest] for guest in guests if guest in self.maps}

    def fail(self, source: Hashable, why: str) -> None:
        """Keep why a source gives no map; note it, unless the failure is already known."""
        if why not in self.failures.values():
            self.note(why)
        if self.failures.get(source) != why:
            self.failures = {**self.failures, source: why}

    def clear(self, source: Hashable) -> None:
        """Forget the failure of a source: it has answered, or is no longer queried."""
        if source in self.failures:
            self.failures = {key: why for key, why in self.failures.items() if key != source}

    def note(self, text: str) -> None:
        """Add a note for the user."""
        self._notes.append(text)

    def take_notes(self) -> list[str]:
        """Return the notes since the last call, in order."""
        return [self._notes.popleft() for _ in range(len(self._notes))]
