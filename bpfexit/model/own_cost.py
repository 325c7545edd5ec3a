"""The cost of bpfexit itself: its programs in the kernel, and its process."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

EXIT_EVENT = "kvm_exit"
"""Fires once per exit, so the runs of its program are the exits of all guests."""

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
        """Mean time of a run, ns; nan if there was none."""
        return _ratio(self.ns, self.runs)


@dataclass(frozen=True)
class Reading:
    """The programs' counters at one moment, cumulative, in the order of attaching."""

    taken_ns: int  # CLOCK_MONOTONIC
    programs: tuple[ProgramRuns, ...]
    accesses: int = 0  # counted; needed only where no program runs at kvm_exit


@dataclass(frozen=True)
class ProgramsCost:
    """The runs of the programs in a window.

    `exits` are those of every guest, because the programs also run for filtered ones;
    on a back end without `kvm_exit`, they are the counted accesses.
    """

    start: float  # unix time, s
    duration_s: float
    exits: int
    programs: tuple[ProgramRuns, ...]

    @property
    def runs(self) -> int:
        """Runs of all programs."""
        return sum(program.runs for program in self.programs)

    @property
    def ns(self) -> int:
        """Run time of all programs, ns."""
        return sum(program.ns for program in self.programs)

    @property
    def ns_per_exit(self) -> float:
        """Run time per exit, ns; nan if there was none."""
        return _ratio(self.ns, self.exits)

    @property
    def runs_per_exit(self) -> float:
        """Runs per exit; nan if there was none."""
        return _ratio(self.runs, self.exits)

    @property
    def core_share(self) -> float:
        """Run time as a share of one core, 1.0 being all of it; nan for an empty window."""
        return self.core_share_of(self.ns)

    def core_share_of(self, ns: int) -> float:
        """Return a part of the run time, ns, as a share of one core."""
        return _ratio(ns, self.duration_s * 1e9)

    def share_of(self, vcpu_ns: int) -> float:
        """Run time as a share of the vCPUs' time in that window; nan if that is unknown."""
        return _ratio(self.ns, vcpu_ns)


@dataclass(frozen=True)
class OwnCost:
    """The cost of bpfexit in an interval, as far as it is known.

    `cpu_s` is the CPU time of its process, all threads, in `over_s` s. `programs`
    is measured in single windows only, because measuring has a cost, too.
    """

    cpu_s: float = 0.0
    over_s: float = 0.0
    programs: ProgramsCost | None = None

    @property
    def core_share(self) -> float:
        """CPU time of the process as a share of one core; nan if it is unknown."""
        return _ratio(self.cpu_s, self.over_s)

    def __add__(self, later: OwnCost) -> OwnCost:
        """Add a later interval; the last measurement of the programs is kept."""
        return OwnCost(
            self.cpu_s + later.cpu_s, self.over_s + later.over_s, later.programs or self.programs
        )


def programs_cost(before: Reading, after: Reading, start: float) -> ProgramsCost:
    """Return the cost from one reading to the next; it began at unix time `start`."""
    programs = tuple(
        ProgramRuns(new.event, new.runs - old.runs, new.ns - old.ns)
        for old, new in zip(before.programs, after.programs, strict=True)
    )
    runs = {program.event: program.runs for program in programs}
    return ProgramsCost(
        start,
        (after.taken_ns - before.taken_ns) / 1e9,
        runs.get(EXIT_EVENT, after.accesses - before.accesses),
        programs,
    )


def _ratio(part: float, total: float) -> float:
    return part / total if total > 0 else nan
