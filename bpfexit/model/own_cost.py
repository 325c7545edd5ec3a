"""What bpfexit itself costs: its programs in the kernel, and its process."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

EXIT_EVENT = "kvm_exit"
"""Fires once for each exit, so its program's runs are the exits of all guests."""

MEASURING_S = 0.5
"""How long the programs' cost is measured, at most: meanwhile, all BPF programs are slower."""


@dataclass(frozen=True)
class ProgramRuns:
    """How often the program of an event ran and how long in all, ns."""

    event: str
    runs: int
    ns: int

    @property
    def mean(self) -> float:
        """Time of a run, ns; nan when there was none."""
        return _ratio(self.ns, self.runs)


@dataclass(frozen=True)
class Reading:
    """The programs' counters at one moment, cumulative, in the order of attaching."""

    taken_ns: int  # CLOCK_MONOTONIC
    programs: tuple[ProgramRuns, ...]
    accesses: int = 0  # counted; needed only where no program runs at kvm_exit


@dataclass(frozen=True)
class ProgramsCost:
    """What the programs did in a window.

    `exits` are those that took place, of every guest, since the programs run for
    those that are filtered out, too; where the back end emits no `kvm_exit`, the
    accesses that were counted.
    """

    start: float  # unix time, s
    duration_s: float
    exits: int
    programs: tuple[ProgramRuns, ...]

    @property
    def runs(self) -> int:
        """Runs of all programs."""
        return sum(each.runs for each in self.programs)

    @property
    def ns(self) -> int:
        """Run time of all programs, ns."""
        return sum(each.ns for each in self.programs)

    @property
    def ns_per_exit(self) -> float:
        """Run time for each exit, ns; nan when there was none."""
        return _ratio(self.ns, self.exits)

    @property
    def runs_per_exit(self) -> float:
        """Runs for each exit; nan when there was none."""
        return _ratio(self.runs, self.exits)

    @property
    def core_share(self) -> float:
        """Run time as a share of one core, 1.0 being all of it; nan for an empty window."""
        return self.core_share_of(self.ns)

    def core_share_of(self, ns: int) -> float:
        """So much of the run time as a share of one core."""
        return _ratio(ns, self.duration_s * 1e9)

    def share_of(self, vcpu_ns: int) -> float:
        """Run time as a share of the vCPUs' time in that window; nan where that is not known."""
        return _ratio(self.ns, vcpu_ns)


@dataclass(frozen=True)
class OwnCost:
    """What bpfexit cost in an interval, as far as it is known.

    `cpu_s` is the CPU time of its process, all threads, in `over_s` s. `programs`
    is measured in one window now and then, for measuring costs something, too.
    """

    cpu_s: float = 0.0
    over_s: float = 0.0
    programs: ProgramsCost | None = None

    @property
    def core_share(self) -> float:
        """CPU time of the process as a share of one core; nan when it is not known."""
        return _ratio(self.cpu_s, self.over_s)

    def __add__(self, later: OwnCost) -> OwnCost:
        """Add a later interval; of the programs, what was measured last counts."""
        return OwnCost(
            self.cpu_s + later.cpu_s, self.over_s + later.over_s, later.programs or self.programs
        )


def programs_cost(before: Reading, after: Reading, start: float) -> ProgramsCost:
    """Return what the programs did from one reading to the next; it began at unix time `start`."""
    programs = tuple(
        ProgramRuns(new.event, new.runs - old.runs, new.ns - old.ns)
        for old, new in zip(before.programs, after.programs, strict=True)
    )
    runs = {each.event: each.runs for each in programs}
    return ProgramsCost(
        start,
        (after.taken_ns - before.taken_ns) / 1e9,
        runs.get(EXIT_EVENT, after.accesses - before.accesses),
        programs,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else nan
