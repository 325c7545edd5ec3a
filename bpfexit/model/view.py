"""Views: a snapshot grouped, measured, ranked and cut to a number of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.model.address_names import AddressNames
from bpfexit.model.at_least import NOT_OF_SLOW_EXITS, slow_ones
from bpfexit.model.classes import with_classes
from bpfexit.model.columns import is_by_vcpu_time
from bpfexit.model.grouping import (
    ADDRESS_FIELDS,
    Naming,
    fields_of,
    measures,
    without_idle_time,
)
from bpfexit.model.guest_numbers import guest_numbers
from bpfexit.model.lines import Groups, Line, Ordered, listed, tree
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot, idle_rows, inner_halts
from bpfexit.model.symbols import NO_SYMBOLS, GuestSymbols
from bpfexit.model.vcpu_time import shares, unknown_shares, with_idle_vcpus

ADDRESS_KINDS = {view.kind.dimension: view.kind for view in VIEWS}
DIMENSIONS = ("vm", "vcpu", "class", "reason", *ADDRESS_KINDS)
"""The dimensions that a view may group by; those after the reason are addresses."""


OPT_IN_VIEWS = tuple(view.kind.dimension for view in VIEWS if not view.is_default)
"""The dimensions that are attached, or recorded, only if they are named."""


def default_dimensions(has_exit_events: bool) -> tuple[str, ...]:
    """Return the default dimensions: reasons, if the back end has them, and addresses."""
    addresses = tuple(view.kind.dimension for view in VIEWS if view.is_default)
    return ("reason", *addresses) if has_exit_events else addresses


def kinds_of(by: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return the kinds of the addresses among these dimensions."""
    return tuple(ADDRESS_KINDS[name] for name in by if name in ADDRESS_KINDS)


@dataclass(frozen=True)
class Query:
    """What to show: dimensions, order, and number of lines (0: all).

    `than_ns`, a bucket's edge: only exits that took at least so long; 0: all. `symbols`
    name instructions.
    """

    by: tuple[str, ...] = default_dimensions(has_exit_events=True)
    sort: str = "time"
    limit: int = 0
    than_ns: int = 0
    symbols: GuestSymbols = field(default=NO_SYMBOLS, compare=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """The dimensions that are not addresses."""
        return tuple(name for name in self.by if name not in ADDRESS_KINDS)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of address among the dimensions."""
        return kinds_of(self.by)


def default_query(
    has_exit_events: bool,
    by: tuple[str, ...] | None,
    sort: str | None,
    limit: int = 0,
    than_ns: int = 0,
) -> Query:
    """Return a query; the defaults of `by` and `sort` depend on whether there are exit events."""
    by = by or default_dimensions(has_exit_events)
    has_times = has_exit_events and not than_ns
    return Query(by, sort or ("time" if has_times else "rate"), limit, than_ns=than_ns)


@dataclass(frozen=True)
class View:
    """The lines, the number of lines that the limit hides, and the guests that have ended."""

    query: Query
    lines: Sequence[Line]
    hidden: int
    ended: frozenset[tuple[int, str]] = frozenset()


def view(snapshot: Snapshot, query: Query) -> View:
    """Group, measure, rank and cut."""
    lines = ordered(snapshot, query).lines()
    shown = lines[: query.limit or None]
    return View(query, shown, len(lines) - len(shown), snapshot.ended)


def ordered(snapshot: Snapshot, query: Query) -> Ordered:
    """Group, measure and rank; all sums are made at once: one for each group is quadratic.

    Guests and vCPUs without exits have a line, too, where lines are about nothing else.
    """
    if is_by_vcpu_time(query.by):
        snapshot = with_idle_vcpus(snapshot, with_guests="vcpu" not in query.by)
    rows = wanted_rows(snapshot, query)
    measure = _Measure(snapshot, query, AddressNames(snapshot, query.symbols).name)
    by = fields_of(query.groups)
    if not by:
        return listed(measure.groups(rows.summed_by(ADDRESS_FIELDS)[0], ADDRESS_FIELDS), query.sort)
    sums, group_of_row = rows.summed_by(by)
    groups = measure.groups(sums, by)
    if not query.kinds:
        return listed(groups, query.sort)
    addressed = rows.of_kinds(query.kinds)
    sums, sum_of = rows.chosen(addressed).summed_by((*by, *ADDRESS_FIELDS))
    group_of = np.empty(len(sums), np.intp)
    group_of[sum_of] = group_of_row[addressed]
    below = measure.groups(sums, (*by, *ADDRESS_FIELDS), depth=1)
    return tree(groups, below, group_of, query.sort)


def wanted_rows(snapshot: Snapshot, query: Query) -> Rows:
    """Return the rows the query is about; idle time is in them where it has its own groups."""
    rows = snapshot.rows
    if not query.groups:
        rows = rows.chosen(rows.of_kinds(query.kinds))
    halts = inner_halts(rows)
    if "reason" not in query.groups:
        halts |= idle_rows(rows, snapshot.reasons)
    if halts.any():
        rows = without_idle_time(rows, halts)
    if query.than_ns:
        rows = slow_ones(rows, query.than_ns)
    if "class" in query.groups:
        rows = with_classes(rows, snapshot.reasons)
    return rows


class _Measure:
    """Makes groups of sums, with their shares of the total and their names."""

    def __init__(self, snapshot: Snapshot, query: Query, naming: Naming) -> None:
        self._of = snapshot
        self._has_idle = "reason" in query.groups  # only such groups are idle time
        self._exit_ns = int(snapshot.rows["total_ns"][~snapshot.idle].sum())
        self._by = query.by
        self._naming = naming
        self._query = query

    def groups(self, sums: Rows, by: tuple[str, ...], depth: int = 0) -> Groups:
        """Return the groups; a number is nan if it is unknown or makes no sense."""
        numbers = measures(
            sums,
            self._of.duration_s,
            has_waiting=self._of.origin.has_waiting,
            has_blocked=self._of.origin.has_blocked,
            has_polling=self._of.origin.has_polling,
            all_exits=self._of.exits,
        )
        if self._query.than_ns:
            for name in NOT_OF_SLOW_EXITS:
                numbers[name][:] = np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            numbers["time"] = numbers["time"] / self._exit_ns
        if is_by_vcpu_time(self._by):
            numbers |= shares(self._of, by) if not depth else unknown_shares(len(sums))
        if self._by == ("vm",):
            numbers |= guest_numbers(self._of.usage, self._of.vms, sums.fields)
        if self._has_idle:
            numbers["time"][idle_rows(sums, self._of.reasons)] = np.nan
        of, naming = self._of, self._naming
        return Groups(sums.fields, numbers, by, of.vms, of.reasons, naming, sums.hist, depth)
