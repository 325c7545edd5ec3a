"""The live kernel as a source of snapshots: plan, compile, load, count, read."""

import os
import time
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bpfexit.guests.guests import Guests
from bpfexit.host import tracefs
from bpfexit.host.kvm import Backend
from bpfexit.host.origin import origin_of
from bpfexit.model.filter import Filter
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import Reading
from bpfexit.model.sample import Difference, Sample
from bpfexit.model.slow import Threshold
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import BUILT_IN, parse_format
from bpfexit.tracer.arrivals import Arrivals
from bpfexit.tracer.counters import Counters
from bpfexit.tracer.host_plan import choice_macros, host_plan
from bpfexit.tracer.loader import ARRIVALS, SLOW_EXITS
from bpfexit.tracer.loading import load
from bpfexit.tracer.own_cost import CostMeter
from bpfexit.tracer.owners import identities, living
from bpfexit.tracer.slots import vcpu_slots
from bpfexit.tracer.slow_ring import SlowRing
from bpfexit.tracer.snapshots import Names, lost_in, lost_so_far, make_snapshot

MAX_ROWS = 16384


class KernelSource:
    """Counts exits from when it is opened until it is closed."""

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
    ) -> None:
        """Compile, load and attach. Raises `BpfexitError` when the kernel or bcc refuses.

        With `anew`, programs are compiled though the cache has them.
        """
        self._backend, self._wanted, self._threshold = backend, wanted, threshold
        text = tracefs.event_format(tracefs_root, "kvm:kvm_exit")
        self._reasons = parse_format(text) if text else BUILT_IN
        max_vcpus = vcpu_slots(os.cpu_count() or 1)
        plan = host_plan(
            backend, tracefs_root, max_rows, max_vcpus, wanted, with_rip=threshold is not None
        )
        plan.macros.update(choice_macros(backend, self._reasons, wanted, threshold))
        self._guests = guests
        self._origin = origin_of(backend)
        self._lost = self._lost_of_ended = Lost()
        self._closed = False
        self._programs = load(plan, tracefs_root, anew=anew)
        with ExitStack() as stack:
            stack.callback(self._programs.close)
            self._counters = Counters(self._programs, max_rows)
            self._ring = SlowRing(self._programs.maps[SLOW_EXITS]) if threshold else None
            self._before = self._counters.sample()
            self._attach()
            self._arrivals = Arrivals(self._programs.maps[ARRIVALS], guests.notice)
            stack.pop_all()
        # Attaching takes its time, and nothing is counted before it is done.
        self._before = replace(self._before, taken_ns=time.monotonic_ns())
        self._cost = CostMeter(self._reading)

    @property
    def has_exit_events(self) -> bool:
        """As the back end does."""
        return self._backend.has_exit_events

    @property
    def origin(self) -> Origin:
        """Where its snapshots come from: this host."""
        return self._origin

    def notes(self) -> list[str]:
        """Return nothing: what is lost is in the snapshots."""
        return []

    def next(self) -> Snapshot:
        """Read the maps; return what has happened since the last reading."""
        return self._next()

    def due(self) -> float | None:
        """Leave the interval to the caller: the kernel waits for nobody."""
        return None

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Measure meanwhile what the programs cost, where the kernel tells."""
        return self._cost.measuring()

    def close(self) -> Snapshot | None:
        """Detach; return what has happened since the last reading, None when closed already."""
        if self._closed:
            return None
        self._closed = True
        # The kernel waits for all CPUs as it takes each program away: a tenth of a second or more.
        ended_ns = time.monotonic_ns()
        keys = self._programs.stop()
        self._programs.detach()
        self._arrivals.close()
        with closing(self._guests):
            last = self._next(ended_ns, keys)
        if self._ring:
            self._ring.close()
        self._programs.close()
        return last

    def _attach(self) -> None:
        self._programs.attach()

    def _next(self, ended_ns: int | None = None, keys: NDArray[Any] | None = None) -> Snapshot:
        """Read the maps, in which nothing has been counted since `ended_ns`, if that is given.

        `keys` are then the vCPUs' fields `packed_key` at that time.
        """
        # Before the ring and their rows are read: so that is for the last time.
        ended = self._counters.ended_slots()
        slow = self._ring.read() if self._ring else None
        diff = self._counters.read_rows()
        after = self._counters.sample(slow)
        if ended_ns is not None:
            after = replace(after, taken_ns=ended_ns)
        if keys is not None:
            after.vcpus["packed_key"] = keys[: len(after.vcpus)]
        snapshot = self._snapshot(diff, after)
        self._lost_of_ended += lost_in(after.vcpus[ended], self._exits_only)
        self._counters.give_back(ended, after)
        self._before = after
        return snapshot

    @property
    def _exits_only(self) -> bool:
        return bool(self._wanted.reasons)

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
        last, self._lost = self._lost, lost
        return make_snapshot(
            diff,
            before,
            after,
            self._names(after),
            start=time.time() - (time.monotonic_ns() - before.taken_ns) / 1e9,
            clock_offset_s=time.time() - time.monotonic(),
            lost=lost - last,
            cost=self._cost.since_last((after.taken_ns - before.taken_ns) / 1e9),
        )
