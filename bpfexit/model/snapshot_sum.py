"""The sum of many snapshots, in bounded memory."""

from bpfexit.errors import BpfexitError
from bpfexit.model.ended import with_fewer_ended
from bpfexit.model.guest import Guest, guests_size, newcomers
from bpfexit.model.snapshot import Snapshot, merged

_LEAST_WAITING = 8 << 20
"""Minimum bytes of waiting snapshots before they are added to the sum."""


class SnapshotSum:
    """Adds snapshots up, several at once, because each merge sorts all rows of the sum."""

    def __init__(self, most: int | None = None, *, bounded: bool = False) -> None:
        """Begin with nothing. `most` limits the approximate bytes of the sum, for untrusted files.

        `bounded` is for a run without end: of the guests that ended, the sum keeps the last ones
        apart and merges the others.
        """
        self._bounded = bounded
        self.intervals = 0
        self._most = most
        self._sum: Snapshot | None = None
        self._sum_size = 0
        self._waiting: list[Snapshot] = []
        self._waiting_size = 0
        self._guests: tuple[Guest, ...] = ()

    def add(self, snapshot: Snapshot) -> None:
        """Add a snapshot. Snapshots wait until they are half as large as the sum.

        Raises `BpfexitError` if the sum exceeds its limit.
        """
        self.intervals += 1
        size = snapshot.size + guests_size(newcomers(snapshot.guests, self._guests))
        self._guests = snapshot.guests
        self._waiting.append(snapshot)
        self._waiting_size += size
        if self._waiting_size > max(_LEAST_WAITING, self._sum_size // 2):
            self.sum()

    def sum(self) -> Snapshot:
        """Return everything so far as one snapshot. Raises `ValueError` if nothing was added."""
        if self._waiting:
            parts = [self._sum] if self._sum else []
            total = merged([*parts, *self._waiting])
            self._sum = with_fewer_ended(total) if self._bounded else total
            self._sum_size = self._sum.size + guests_size(self._sum.guests)
            self._waiting, self._waiting_size = [], 0
            self._check()
        if self._sum is None:
            raise ValueError("nothing was added")
        return self._sum

    def _check(self) -> None:
        if self._most is not None and self._sum_size > self._most:
            raise BpfexitError(
                f"the intervals take more than {self._most >> 20} MiB of memory when they are "
                "added up: choose some of the guests or exits with -p, -v or --reason"
            )
