"""Memory maps as the interval takes them: something else has read and published them before."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from bpfexit.events.region import Region
from bpfexit.host.processes import Process
from bpfexit.model.guest import Guest, NameSource

Mapped = tuple[tuple[Region, ...], NameSource | None]
"""A guest's memory map, and who gave it."""


class GuestKey(NamedTuple):
    """Which guest: its PID and its name may both be those of another one after it.

    `started` and `memory` are those of its `Process`; 0 and () where that is not in sight.
    """

    pid: int
    name: str
    started: int = 0
    memory: tuple[int, ...] = ()


def guest_key(guest: Guest, process: Process | None) -> GuestKey:
    """Return what tells a guest from any other; the same wherever both are read."""
    if process is None:
        return GuestKey(guest.pid, guest.name)
    return GuestKey(guest.pid, guest.name, process.started, process.memory)


class Maps(Protocol):
    """Memory maps that something else reads meanwhile: asking for them never waits."""

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        """Hand over the guests that are running; return the maps that are known by now."""

    def failures(self) -> tuple[str, ...]:
        """Return what keeps maps from being read now, a sentence each."""

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
