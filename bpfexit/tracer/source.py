"""The live kernel as a source of snapshots: plan, compile, load, count, read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bpfexit.guests.guests import Guests
from bpfexit.guests.usage import UsageReader
from bpfexit.host import tracefs
from bpfexit.host.kvm import Backend
from bpfexit.model.filter import Filter, kept
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import Reading
from bpfexit.model.sample import Difference, Sample
from bpfexit.model.slow import Threshold
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import BUILT_IN, parse_format
from bpfexit.tracer.arrivals import Arrivals
from bpfexit.tracer.counters import Counters
from bpfexit.tracer.guest_filter import GuestFilter
from bpfexit.tracer.host_plan import choice_macros, host_plan, origin_of
from bpfexit.tracer.loader import ARRIVALS, SLOW_EXITS
from bpfexit.tracer.loading import load
from bpfexit.tracer.own_cost import CostMeter
from bpfexit.tracer.owners import identities, living, vcpu_threads
from bpfexit.tracer.readings import Readings
from bpfexit.tracer.slots import vcpu_slots
from bpfexit.tracer.slow_ring import SlowRing
from bpfexit.tracer.snapshots import Names, lost_in, lost_so_far, make_snapshot

MAX_ROWS = 16384


class _End(NamedTuple):
    """The vCPUs when counting ended, the time, and then their fields `packed_key`."""

    vcpus: NDArray[Any]
    taken_ns: int
    keys: NDArray[Any]


class KernelSource:
    """Counts exits from its creation until it is closed."""

    def __init__(
        self,
        backend: Backend,
        tracefs_root: Path,
        wanted: Filter,
        guests: Guests,
        max_rows: int = MAX_ROWS,
        threshold: Threshold | None = None,
        *,
        anew: bool = False,
        attached: Callable[[], object] = lambda: None,
    ) -> None:
        """Compile, load and attach. Raises `BpfexitError` if the kernel or bcc refuses.

        With `anew`, programs are compiled even if they are in the cache. `attached` is called
        when all programs are attached, before a thread is started.
        """
        self._backend, self._wanted, self._threshold = backend, wanted, threshold
        text = tracefs.event_format(tracefs_root, "kvm:kvm_exit")
        self._reasons = parse_format(text) if text else BUILT_IN
        max_vcpus = vcpu_slots(os.cpu_count() or 1)
        plan = host_plan(
            backend, tracefs_root, max_rows, max_vcpus, wanted, with_rip=threshold is not None
        )
        plan.macros.update(choice_macros(backend, self._reasons, wanted, threshold))
        self._guests, self._exits_only = guests, bool(wanted.reasons)
        self._usage = UsageReader()
        self._origin = origin_of(backend, plan)
        self._lost = self._lost_of_ended = Lost()
        self._closed = False
        self._readings = Readings()
        self._programs = load(plan, tracefs_root, anew=anew)
        with ExitStack() as stack:
            stack.callback(self._programs.close)
            self._counters = Counters(self._programs, max_rows)
            self._ring = SlowRing(self._programs.maps[SLOW_EXITS]) if threshold else None
            self._before = self._counters.sample()
            self._programs.attach()
            attached()
            self._filter = GuestFilter(wanted, guests, self._counters)
            arrivals = self._programs.maps[ARRIVALS]
            self._arrivals = Arrivals(arrivals, self._filter.notice, self._usage.begin)
            stack.pop_all()
        # Attaching takes time, and nothing is counted until it is done.
        self._before = replace(self._before, taken_ns=time.monotonic_ns())
        self._cost = CostMeter(self._reading)

    @property
    def has_exit_events(self) -> bool:
        """Whether the back end has exit events."""
        return self._backend.has_exit_events

    @property
    def origin(self) -> Origin:
        """The origin of its snapshots: this host."""
        return self._origin

    def notes(self) -> list[str]:
        """Return nothing: losses are in the snapshots."""
        return []

    def next(self) -> Snapshot:
        """Read the maps; return what has happened since the last reading."""
        return self._readings.ended_by(self._next())

    def read(self) -> None:
        """Read the maps; `next` and `close` return that, too."""
        self._readings.add(self._next())

    def due(self) -> float | None:
        """Return None: the caller chooses the length of the interval."""
        return None

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Measure the cost of the programs meanwhile, if the kernel supports it."""
        return self._cost.measuring()

    def close(self) -> Snapshot | None:
        """Detach; return what has happened since the last reading, None when closed already."""
        if self._closed:
            return None
        self._closed = True
        # The kernel waits for all CPUs as it takes each program away: a tenth of a second or more.
        end = _End(self._counters.vcpus(), time.monotonic_ns(), self._programs.stop())
        self._programs.detach()
        self._arrivals.close()
        with closing(self._guests), closing(self._usage):
            last = self._readings.ended_by(self._next(end))
        if self._ring:
            self._ring.close()
        self._programs.close()
        return last

    def _next(self, end: _End | None = None) -> Snapshot:
        """Read the maps, in which nothing has been counted since `end`, if that is given."""
        # Before the ring and their rows are read: so that is for the last time.
        ended = self._counters.ended_slots()
        slow = self._ring.read() if self._ring else None
        diff = self._counters.read_rows()
        after = self._counters.sample(slow)
        if end is not None:
            after = replace(after, taken_ns=end.taken_ns, at_taken=end.vcpus)
            after.vcpus["packed_key"] = end.keys[: len(after.vcpus)]
        snapshot = self._snapshot(diff, after)
        self._lost_of_ended += lost_in(after.vcpus[ended], self._exits_only)
        self._counters.give_back(ended, after)
        self._before = after
        return snapshot

    def _reading(self) -> Reading:
        accesses = 0 if self.has_exit_events else self._counters.without_latency()
        return Reading(time.monotonic_ns(), self._programs.runs(), accesses)

    def _names(self, after: Sample) -> Names:
        owners = identities(after.vcpus)
        return Names(
            self._reasons,
            self._guests.update(living(after.vcpus, owners)),
            lambda owner: self._guests.guest(owner).name,
            self._guests.failures(),
            self._origin,
            self._threshold,
            self._wanted.reasons,
        )

    def _snapshot(self, diff: Difference, after: Sample) -> Snapshot:
        lost, before = lost_so_far(after, self._lost_of_ended, self._exits_only), self._before
        self._lost, lost = lost, lost - self._lost
        start = time.time() - (time.monotonic_ns() - before.taken_ns) / 1e9
        cost = self._cost.since_last((after.taken_ns - before.taken_ns) / 1e9)
        names, shift = self._names(after), time.time() - time.monotonic()
        snapshot = make_snapshot(
            diff, before, after, names, start=start, clock_offset_s=shift, lost=lost, cost=cost
        )
        usage = self._usage.read(vcpu_threads(after.vcpus, names.name_of, names.guests))
        self._filter.update(after.vcpus)
        return kept(replace(snapshot, usage=usage), Filter(guests=self._wanted.guests))
