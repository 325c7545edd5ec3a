"""Memory maps as an interval takes them: read and published elsewhere."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from bpfexit.events.region import Region
from bpfexit.host.processes import Process
from bpfexit.model.guest import Guest, NameSource

Mapped = tuple[tuple[Region, ...], NameSource | None]
"""A guest's memory map and its source."""


class GuestKey(NamedTuple):
    """Identifies a guest: a later one may have both its PID and its name.

    `started` and `memory` are those of its `Process`; 0 and () if that is not visible.
    """

    pid: int
    name: str
    started: int = 0
    memory: tuple[int, ...] = ()


def guest_key(guest: Guest, process: Process | None) -> GuestKey:
    """Return the key of a guest, the same wherever it is read."""
    if process is None:
        return GuestKey(guest.pid, guest.name)
    return GuestKey(guest.pid, guest.name, process.started, process.memory)


class Maps(Protocol):
    """Memory maps that are read elsewhere: taking them never waits."""

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        """Set the guests that are running; return the known maps."""

    def failures(self) -> tuple[str, ...]:
        """Return the current failures, a sentence each."""

    def close(self) -> None:
        """Stop reading."""


class NoMaps:
    """No memory maps are read."""

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        """Return none."""
        del guests
        return {}

    def failures(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def close(self) -> None:
        """Do nothing."""
