"""What every command reads from, be it the live kernel or a recording."""

from dataclasses import dataclass
from typing import Protocol

from bpfexit.model.snapshot import Snapshot


@dataclass(frozen=True)
class Filter:
    """Which exits to count at all; empty means every one."""

    pids: tuple[int, ...] = ()
    vcpus: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()


class Source(Protocol):
    """Snapshots, one after another."""

    def next(self) -> Snapshot | None:
        """Return what has happened since the last call, or since opening; None at the end."""

    def due(self) -> float | None:
        """Return how long the next snapshot lasts, s; None when that is the caller's choice."""

    def close(self) -> Snapshot | None:
        """Stop; return what happened since the last call, None if there is no more."""
