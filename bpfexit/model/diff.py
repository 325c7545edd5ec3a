"""Two snapshots, before and after a change, compared line by line.

Processes and threads have other numbers in the next run, so guests are matched by name, and vCPUs
by name and number. Runs differ in length, so all numbers are rates. Guests without a name count as
one, as do guests with the same name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
"""Stands for all guests that are named for their process (`pid:4711`)."""

_PROCESS = re.compile(r"pid:[0-9]+(?:#[0-9]+)?")
_FLEETING = ("pid", "tid", "isa")
"""Fields that change from one run to the next, or follow from the others."""


@dataclass(frozen=True)
class Diff:
    """A comparison: its lines by time saved or lost, and how many lines the limit hides.

    `userspace`: a back end emits no exits, so times are those in user space.
    """

    query: Query
    before: Snapshot
    after: Snapshot
    userspace: bool
    lines: Sequence[Line]
    hidden: int
    is_same: bool  # all lines, hidden ones too, are equal

    @property
    def differing(self) -> tuple[str, ...]:
        """The fields in which the two origins differ: more than the guest may have changed."""
        a, b = self.before.origin, self.after.origin
        names = ("host", "kernel", "backend")
        return tuple(name for name in names if getattr(a, name) != getattr(b, name))

    @property
    def saved(self) -> float:
        """Time saved by all exits together, ns per second, HLT excluded."""
        return self.time(self.before) - self.time(self.after)

    def time(self, snapshot: Snapshot) -> float:
        """Return the time in exits, or in user space, ns per second."""
        vcpu_times = times(snapshot)
        return snapshot.per_second(vcpu_times.user if self.userspace else vcpu_times.exits)


def times_per_second(snapshot: Snapshot) -> dict[str, float]:
    """Return where the vCPUs' time went, ns per second."""
    vcpu_times = times(snapshot)
    return {name: snapshot.per_second(ns) for name, ns in vars(vcpu_times).items()}


def compare(before: Snapshot, after: Snapshot, query: Query) -> Diff:
    """Compare two snapshots by the query's dimensions; the query's order is ignored.

    Lines are ordered by time saved or lost, addresses below their group; a group is ranked by its
    largest line.
    """
    userspace = not (before.origin.has_exit_events and after.origin.has_exit_events)
    sides = with_common_names([_lasting(before), _lasting(after)])
    parts = _parts((sides[0], sides[1]), query, userspace)
    lines = _lines(parts, _naming(*sides))
    shown = lines[: query.limit or None]
    is_same = all(part.is_same for part in parts)
    return Diff(query, before, after, userspace, shown, len(lines) - len(shown), is_same)


def _naming(before: Snapshot, after: Snapshot) -> Naming:
    """Return what names an address in both snapshots, by the guests that accessed it."""
    sides = AddressNames(before), AddressNames(after)

    def name(kind: Kind, address: int, vm: str | None, pid: int | None) -> AddressName | None:
        return joined_name(side.name(kind, address, vm, pid) for side in sides)

    return name


def _lasting(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with `NAMELESS` for each name that is made of a PID."""
    vms = (NAMELESS if _PROCESS.fullmatch(name) else name for name in snapshot.vms)
    return replace(snapshot, vms=tuple(vms))


def _parts(sides: tuple[Snapshot, Snapshot], query: Query, userspace: bool) -> list[Matched]:
    """Return the groups of both sides and the addresses in them, as far as the query has them."""
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
    """Return the lines, most important first, and addresses below their group."""
    tests = sum(part.tests for part in parts)
    groups, below = parts[0], parts[-1]

    def line(index: int) -> Line:
        part, position = (groups, index) if index < len(groups) else (below, index - len(groups))
        return part.line(position, tests, naming)

    order = _order(groups.weights) if len(parts) == 1 else _tree_order(groups, below)
    return OnDemand.keeping(order, line)


def _tree_order(groups: Matched, below: Matched) -> NDArray[np.intp]:
    """Return the order of the lines; those of `below` have indexes after those of all groups."""
    group_of = _group_of(groups, below)
    own = [np.concatenate(pair) for pair in zip(groups.weights, below.weights, strict=True)]
    in_group = np.concatenate([np.arange(len(groups)), group_of])
    # A group weighs as much as its heaviest line.
    by_weight = np.lexsort([-own[1], -own[0], in_group])
    heaviest = by_weight[np.flatnonzero(np.diff(in_group[by_weight], prepend=-1))]
    rank = np.empty(len(groups), np.intp)
    rank[_order([weight[heaviest] for weight in own])] = np.arange(len(groups))
    is_below = np.arange(len(in_group)) >= len(groups)
    return np.lexsort([-own[1], -own[0], is_below, rank[in_group]])


def _order(weights: Sequence[NDArray[np.float64]]) -> NDArray[np.intp]:
    return np.lexsort([-weights[1], -weights[0]])


def _group_of(groups: Matched, below: Matched) -> NDArray[np.intp]:
    """Return the index of the group of each of `below`, shape (n,)."""
    every = np.concatenate([groups.rows, below.rows])
    _, group_of = Rows(every, no_histograms(len(every))).summed_by(groups.by)
    return group_of[len(groups) :]
