"""The source of a command's snapshots: the live kernel or a recording."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

from bpfexit.model.snapshot import Snapshot

T_co = TypeVar("T_co", covariant=True)


class Intervals(Protocol[T_co]):
    """What happened in one interval after another."""

    def next(self) -> T_co | None:
        """Return what happened since the last call, or since opening; None at the end."""

    def read(self) -> None:
        """Read what there is into the next snapshot: a long interval is read in between, too.

        Otherwise what ended guests have left would take space until the interval's end.
        """

    def due(self) -> float | None:
        """Return how long the next snapshot lasts, s; None if the caller chooses."""

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Return a context that measures the cost of bpfexit's programs, for the next snapshot.

        Measuring has a small cost itself. No snapshot may be taken within the context. On a
        host that does not allow it, nothing is measured.
        """

    def close(self) -> T_co | None:
        """Stop; return what happened since the last call; None if there is nothing."""


@runtime_checkable
class Seekable(Protocol[T_co]):
    """A recording, of which any interval can be next."""

    position: int
    intervals: int

    def skip_to(self, number: int) -> Iterator[T_co]:
        """Make `number` the next interval; yield those before it that were never returned."""


class Source(Intervals[Snapshot], Protocol):
    """Snapshots, one after another."""

    @property
    def has_exit_events(self) -> bool:
        """Whether the back end has the event `kvm_exit`, which gives reasons and latencies."""

    def notes(self) -> list[str]:
        """Return notes for the user, a sentence each, after the last snapshot."""
