"""KVM's counters and tracepoints as a source of intervals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bpfexit.guests.event_owners import EventOwners
from bpfexit.guests.kvm_counters import LOCKED_DOWN, KvmCounters
from bpfexit.model.event_counts import EventInterval, Owner, Reading, interval_between
from bpfexit.tracer.event_counters import EventCounters


class EventSource:
    """Reads counters of KVM, tracepoint counts, or both; of some processes if `pids` has any."""

    def __init__(
        self,
        owners: EventOwners,
        counters: KvmCounters | None,
        tracepoints: EventCounters | None,
        pids: tuple[int, ...] = (),
    ) -> None:
        """Take the first reading. Raises `BpfexitError`."""
        self._owners = owners
        self._counters = counters
        self._tracepoints = tracepoints
        self._pids = pids
        self._closed = False
        self._before = self._read()

    def next(self) -> EventInterval:
        """Return what happened since the last call."""
        after = self._read()
        before, self._before = self._before, after
        start = time.time() - (time.monotonic_ns() - before.taken_ns) / 1e9
        return interval_between(before, after, start, self._notices())

    def read(self) -> None:
        """Do nothing: counters are compared at the interval's ends."""

    def due(self) -> None:
        """Leave the interval to the caller."""

    @contextmanager
    def measuring_cost(self) -> Iterator[None]:
        """Measure nothing."""
        yield

    def close(self) -> EventInterval | None:
        """Stop; return what happened since the last call, None when closed already."""
        if self._closed:
            return None
        self._closed = True
        try:
            return self.next()
        finally:
            if self._tracepoints:
                self._tracepoints.close()

    def _read(self) -> Reading:
        readings = []
        if self._tracepoints:
            readings.append(self._tracepoints.read(self._owner, self._owners.has_ended))
        if self._counters:
            readings.append(self._counters.read())
        values = {key: value for reading in readings for key, value in reading.values.items()}
        self._owners.keep_only(key.owner.pid for key in values)
        return replace(readings[0], values=values)

    def _owner(self, pid: int) -> Owner | None:
        return None if self._pids and pid not in self._pids else self._owners.owner(pid)

    def _notices(self) -> tuple[str, ...]:
        return (LOCKED_DOWN,) if self._counters and self._counters.refused else ()
