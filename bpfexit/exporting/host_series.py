"""The series of the host: losses, the cost of bpfexit itself, and versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from math import isnan

from bpfexit import __version__
from bpfexit.exporting import metrics
from bpfexit.exporting.family import Family
from bpfexit.model.losses import Lost
from bpfexit.model.snapshot import Origin, Snapshot


class HostSeries:
    """Sums over all snapshots and guests."""

    def __init__(self) -> None:
        self._lost: Counter[str] = Counter(asdict(Lost()))
        self._cpu_s = 0.0
        self._seconds_per_exit: float | None = None
        self._readings = 0
        self._complete_to = 0.0
        self._origin = Origin()

    def add(self, snapshot: Snapshot) -> None:
        """Add an interval."""
        for cause, number in asdict(snapshot.lost).items():
            self._lost[cause] += max(0, number)
        self._cpu_s += snapshot.cost.cpu_s
        if (programs := snapshot.cost.programs) and not isnan(programs.ns_per_exit):
            self._seconds_per_exit = programs.ns_per_exit / 1e9
        self._readings += 1
        self._complete_to = snapshot.start + snapshot.duration_s
        self._origin = snapshot.origin

    def families(self) -> Iterator[Family]:
        """Yield the families that do not depend on guests."""
        yield Family(
            metrics.LOST, tuple(((cause,), number) for cause, number in self._lost.items())
        )
        yield Family(metrics.OWN_CPU, (((), self._cpu_s),))
        if self._seconds_per_exit is not None:
            yield Family(metrics.OWN_PER_EXIT, (((), self._seconds_per_exit),))
        yield Family(metrics.READINGS, (((), self._readings),))
        yield Family(metrics.LAST_READING, (((), self._complete_to),))
        about = __version__, self._origin.kernel, self._origin.backend
        yield Family(metrics.BUILD_INFO, ((about, 1),))
