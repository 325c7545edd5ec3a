"""Times added up so that no part of them ever shrinks."""

from __future__ import annotations

from collections.abc import Iterator

from bpfexit.exporting.changes import Durations
from bpfexit.model.vcpu_parts import VcpuTime


class Times:
    """A total, and its parts in user space, waiting, and in the kernel, which is the rest, ns.

    The parts of an exit may be read before its total is, in the interval after. The rest then
    stays as it is until the total has caught up.
    """

    def __init__(self) -> None:
        self._total = self._user = self._kvm = 0
        self._wait: int | None = None

    def add(self, durations: Durations) -> None:
        """Add the time of an interval."""
        self._total += durations.total
        self._user += durations.user
        if durations.wait is not None:
            self._wait = (self._wait or 0) + durations.wait
        self._kvm = max(self._kvm, self._total - self._user - (self._wait or 0))

    def parts(self) -> Iterator[tuple[str, float]]:
        """Yield the measured parts, s; that of user space once an exit has gone there."""
        if self._total:
            yield "kvm", self._kvm / 1e9
        if self._user:
            yield "user", self._user / 1e9
        if self._wait is not None:
            yield "wait", self._wait / 1e9


class VcpuTimes:
    """The parts of a vCPU's time, or of several together, ns.

    A part may be less than it was, as time in flight turns out to have been waiting: what is
    shown stays as it is until the part has caught up.
    """

    def __init__(self) -> None:
        self._sums = VcpuTime(0, 0, 0, None, 0)
        self._shown: dict[str, int] = {}

    def add(self, time: VcpuTime) -> None:
        """Add what was spent in an interval."""
        self._sums += time
        for part, ns in vars(self._sums).items():
            if ns is not None:
                self._shown[part] = max(ns, self._shown.get(part, 0))

    def parts(self) -> Iterator[tuple[str, float]]:
        """Yield the parts that were measured, s."""
        yield from ((part, ns / 1e9) for part, ns in self._shown.items())
