"""Two snapshots, before and after a change, compared line by line.

Processes and threads have other numbers in the next run, so guests are matched by
name, vCPUs by name and number, and everything is a rate, since runs last
differently long. Guests without a name count as one; so do namesakes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.model.address_names import AddressName, AddressNames, joined_name
from bpfexit.model.grouping import ADDRESS_FIELDS, Naming, fields_of
from bpfexit.model.histograms import no_histograms
from bpfexit.model.matched import Line, Matched
from bpfexit.model.on_demand import OnDemand
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot, times, with_common_names
from bpfexit.model.view import Query, wanted_rows

NAMELESS = "pid:*"
"""Stands for every guest that has no name but its process (`pid:4711`)."""

_PROCESS = re.compile(r"pid:[0-9]+(?:#[0-9]+)?")
_FLEETING = ("pid", "tid", "isa")
"""What does not last from one run to the next, or follows from the rest."""


@dataclass(frozen=True)
class Diff:
    """The comparison: lines by time saved or lost, and how many more the limit leaves out.

    `userspace`: a back end emits no exits, so time is what user space took.
    """

    query: Query
    before: Snapshot
    after: Snapshot
    userspace: bool
    lines: Sequence[Line]
    hidden: int
    is_same: bool  # no line, hidden ones neither, differs in anything

    @property
    def differing(self) -> tuple[str, ...]:
        """What of the two origins differs, so that more than the guest may have changed."""
        a, b = self.before.origin, self.after.origin
        names = ("host", "kernel", "backend")
        return tuple(name for name in names if getattr(a, name) != getattr(b, name))

    @property
    def saved(self) -> float:
        """Time saved by all exits together, ns a second; HLT is in none."""
        return self.time(self.before) - self.time(self.after)

    def time(self, snapshot: Snapshot) -> float:
        """Return the time in exits, or in user space, ns a second."""
        vcpu_times = times(snapshot)
        return per_second(
            vcpu_times.user if self.userspace else vcpu_times.exits, snapshot.duration_s
        )


def per_second(amount: float, seconds: float) -> float:
    """Return a rate; nan of no time at all."""
    return amount / seconds if seconds else nan


def times_per_second(snapshot: Snapshot) -> dict[str, float]:
    """Return where the vCPUs' time went, ns a second."""
    vcpu_times = times(snapshot)
    return {name: per_second(ns, snapshot.duration_s) for name, ns in vars(vcpu_times).items()}


def compare(before: Snapshot, after: Snapshot, query: Query) -> Diff:
    """Compare two snapshots by the query's dimensions; its order has no say.

    Lines are ordered by time saved or lost, an address below its group; a group
    stands where the largest of its lines would.
    """
    userspace = not (before.origin.has_exit_events and after.origin.has_exit_events)
    sides = with_common_names([_lasting(before), _lasting(after)])
    parts = _parts((sides[0], sides[1]), query, userspace)
    lines = _lines(parts, _naming(*sides))
    shown = lines[: query.limit or None]
    is_same = all(part.is_same for part in parts)
    return Diff(query, before, after, userspace, shown, len(lines) - len(shown), is_same)


def _naming(before: Snapshot, after: Snapshot) -> Naming:
    """Name an address as both sides do, each by the guests that were there."""
    sides = AddressNames(before), AddressNames(after)

    def name(kind: Kind, address: int, vm: str | None, pid: int | None) -> AddressName | None:
        return joined_name(side.name(kind, address, vm, pid) for side in sides)

    return name


def _lasting(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot without names that hold a process's number."""
    vms = (NAMELESS if _PROCESS.fullmatch(name) else name for name in snapshot.vms)
    return replace(snapshot, vms=tuple(vms))


def _parts(sides: tuple[Snapshot, Snapshot], query: Query, userspace: bool) -> list[Matched]:
    """Return the groups, and the addresses in them, of both sides; whichever are asked for."""
    by = tuple(name for name in fields_of(query.groups) if name not in _FLEETING)
    rows = wanted_rows(sides[0], query), wanted_rows(sides[1], query)
    parts = []
    if query.groups:
        parts.append(Matched.of(sides, rows, by, 0, userspace))
    if query.kinds:
        there = _of_kinds(rows[0], query), _of_kinds(rows[1], query)
        depth = 1 if query.groups else 0
        parts.append(Matched.of(sides, there, (*by, *ADDRESS_FIELDS), depth, userspace))
    return parts


def _of_kinds(rows: Rows, query: Query) -> Rows:
    return rows.chosen(rows.of_kinds(query.kinds))


def _lines(parts: Sequence[Matched], naming: Naming) -> OnDemand[Line]:
    """Return the lines, what matters most first, and each address below its group."""
    tests = sum(part.tests for part in parts)
    groups, below = parts[0], parts[-1]

    def line(at: int) -> Line:
        part, place = (groups, at) if at < len(groups) else (below, at - len(groups))
        return part.line(place, tests, naming)

    order = _order(groups.weights) if len(parts) == 1 else _tree_order(groups, below)
    return OnDemand.keeping(order, line)


def _tree_order(groups: Matched, below: Matched) -> NDArray[np.intp]:
    """Return the order of the lines, those of `below` being places after those of all groups."""
    group_of = _group_of(groups, below)
    own = [np.concatenate(pair) for pair in zip(groups.weights, below.weights, strict=True)]
    in_group = np.concatenate([np.arange(len(groups)), group_of])
    # A group weighs as much as the line of it that weighs most.
    by_weight = np.lexsort([-own[1], -own[0], in_group])
    heaviest = by_weight[np.flatnonzero(np.diff(in_group[by_weight], prepend=-1))]
    rank = np.empty(len(groups), np.intp)
    rank[_order([weight[heaviest] for weight in own])] = np.arange(len(groups))
    is_below = np.arange(len(in_group)) >= len(groups)
    return np.lexsort([-own[1], -own[0], is_below, rank[in_group]])


def _order(weights: Sequence[NDArray[np.float64]]) -> NDArray[np.intp]:
    return np.lexsort([-weights[1], -weights[0]])


def _group_of(groups: Matched, below: Matched) -> NDArray[np.intp]:
    """Return for each of `below` the place of its group, shape (n,)."""
    every = np.concatenate([groups.rows, below.rows])
    _, place = Rows(every, no_histograms(len(every))).summed_by(groups.by)
    return place[len(groups) :]
