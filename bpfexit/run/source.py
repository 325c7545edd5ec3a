"""The source of a command's snapshots: the live kernel or a recording."""

from contextlib import AbstractContextManager
from typing import Protocol

from bpfexit.model.snapshot import Snapshot


class Source(Protocol):
    """Snapshots, one after another."""

    @property
    def has_exit_events(self) -> bool:
        """Whether the back end has the event `kvm_exit`, which gives reasons and latencies."""

    def notes(self) -> list[str]:
        """Return notes for the user, a sentence each, after the last snapshot."""

    def next(self) -> Snapshot | None:
        """Return a snapshot of the time since the last call, or since opening; None at the end."""

    def due(self) -> float | None:
        """Return how long the next snapshot lasts, s; None if the caller chooses."""

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Return a context that measures the cost of bpfexit's programs, for the next snapshot.

        Measuring has a small cost itself. No snapshot may be taken within the context. On a
        host that does not allow it, nothing is measured.
        """

    def close(self) -> Snapshot | None:
        """Stop; return a snapshot of the time since the last call; None if there is none."""
