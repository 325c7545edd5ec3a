"""Times added up such that no part of them ever shrinks."""

from __future__ import annotations

from collections.abc import Iterator

from bpfexit.exporting.changes import Spent


class Times:
    """A total, and its parts in user space, waiting, and in the kernel, which is the rest, ns.

    The parts of an exit may be read before its total is, in the interval after. The rest then
    stays as it is until the total has caught up.
    """

    def __init__(self) -> None:
        self._total = self._user = self._kvm = 0
        self._wait: int | None = None

    def add(self, spent: Spent) -> None:
        """Add what was spent in an interval."""
        self._total += spent.total
        self._user += spent.user
        if spent.wait is not None:
            self._wait = (self._wait or 0) + spent.wait
        self._kvm = max(self._kvm, self._total - self._user - (self._wait or 0))

    def parts(self) -> Iterator[tuple[str, float]]:
        """Yield the parts that were measured, s; of user space once an exit has gone there."""
        if self._total:
            yield "kvm", self._kvm / 1e9
        if self._user:
            yield "user", self._user / 1e9
        if self._wait is not None:
            yield "wait", self._wait / 1e9
