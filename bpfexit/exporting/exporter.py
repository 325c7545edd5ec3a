"""The exporter: reads and adds up on its own clock; any thread may collect the result.

Scrapes read nothing from the kernel, so they neither delay readings nor change their results.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from prometheus_client import CollectorRegistry

from bpfexit.exporting.accumulator import Accumulator, Describe
from bpfexit.exporting.collector import registry_of
from bpfexit.exporting.detail import Detail
from bpfexit.exporting.family import Family
from bpfexit.model.snapshot import Snapshot
from bpfexit.run.loop import Run, intervals
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Source


class Exporter:
    """Adds up what a source counts. Any thread may scrape its registry at any time."""

    def __init__(self, describe: Describe, detail: Detail) -> None:
        self._accumulator = Accumulator(describe, detail)
        self._lock = Lock()
        self.registry: CollectorRegistry = registry_of(self._families)

    def run(
        self,
        source: Source,
        run: Run,
        interrupts: Interrupts,
        note: Callable[[], object] = lambda: None,
    ) -> None:
        """Add up interval after interval until a signal; `note` is called after each."""
        for snapshot in intervals(source, run, interrupts, measure_cost=True):
            self.add(snapshot, time.monotonic())
            note()

    def add(self, snapshot: Snapshot, now: float) -> None:
        """Add an interval that ended at `now`, s of a monotonic clock."""
        with self._lock:
            self._accumulator.add(snapshot, now)

    def _families(self) -> tuple[Family, ...]:
        """Return the series, all as of the same reading."""
        with self._lock:
            return self._accumulator.families()
