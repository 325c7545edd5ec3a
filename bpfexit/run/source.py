"""What every command reads from, be it the live kernel or a recording."""

from contextlib import AbstractContextManager
from typing import Protocol

from bpfexit.model.snapshot import Snapshot


class Source(Protocol):
    """Snapshots, one after another."""

    @property
    def has_exit_events(self) -> bool:
        """Whether the back end emits `kvm_exit`, so that there are reasons and latencies."""

    def notes(self) -> list[str]:
        """Return what one should know of it, a sentence each, once the snapshots have ended."""

    def next(self) -> Snapshot | None:
        """Return what has happened since the last call, or since opening; None at the end."""

    def due(self) -> float | None:
        """Return how long the next snapshot lasts, s; None when that is the caller's choice."""

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Measure meanwhile what bpfexit's programs cost, where that can be: for the next snapshot.

        That costs a little itself, and no snapshot may be taken meanwhile.
        """

    def close(self) -> Snapshot | None:
        """Stop; return what happened since the last call. None when there is no more, or again."""
