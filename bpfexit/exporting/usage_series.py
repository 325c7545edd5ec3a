"""The series of what one guest takes of its host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bpfexit.exporting.family import Sample
from bpfexit.model.usage import GuestUsage


class UsageSeries:
    """CPU time, waiting and throttling since the guest was first seen, and its memory now."""

    def __init__(self) -> None:
        self._cpu_ns: Counter[str] = Counter()
        self._wait_ns: Counter[str] = Counter()
        self._throttled_ns: int | None = None
        self._memory: dict[str, int | None] = {}

    def add(self, usage: GuestUsage) -> None:
        """Add an interval."""
        for times in usage.threads:
            if times.cpu_ns is not None and times.wait_ns is not None:
                self._cpu_ns[times.role.value] += times.cpu_ns
                self._wait_ns[times.role.value] += times.wait_ns
        if usage.throttled_ns is not None:
            self._throttled_ns = (self._throttled_ns or 0) + usage.throttled_ns
        self._memory = {"resident": usage.resident_bytes, "swapped": usage.swapped_bytes}

    def cpu_seconds(self) -> Iterator[Sample]:
        """Yield the CPU time of threads by role, s."""
        yield from (((role,), ns / 1e9) for role, ns in self._cpu_ns.items())

    def wait_seconds(self) -> Iterator[Sample]:
        """Yield how long threads waited for a CPU by role, s."""
        yield from (((role,), ns / 1e9) for role, ns in self._wait_ns.items())

    def throttled_seconds(self) -> Iterator[Sample]:
        """Yield how long CPU quotas stopped the vCPUs, s, if that is known."""
        if self._throttled_ns is not None:
            yield (), self._throttled_ns / 1e9

    def memory_bytes(self) -> Iterator[Sample]:
        """Yield the memory by where it is, as far as it is known."""
        yield from (((state,), size) for state, size in self._memory.items() if size is not None)
