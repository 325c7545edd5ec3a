"""Views: a snapshot grouped, measured, ranked and cut to the lines a screen has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.registry import VIEWS
from bpfexit.model.address_names import PLACE, AddressName, AddressNames
from bpfexit.model.grouping import (
    ADDRESS_FIELDS,
    Naming,
    fields_of,
    measures,
    without_idle_time,
)
from bpfexit.model.lines import Groups, Line, listed, tree
from bpfexit.model.on_demand import OnDemand
from bpfexit.model.rows import Rows, grouped
from bpfexit.model.snapshot import Snapshot, idle_rows

ADDRESS_KINDS = {view.kind.dimension: view.kind for view in VIEWS}
DIMENSIONS = ("vm", "vcpu", "reason", *ADDRESS_KINDS)
"""What a view may be grouped by; those after the reason are addresses."""


def default_dimensions(has_exit_events: bool) -> tuple[str, ...]:
    """Return what to group by when nobody says: by reason, where the back end gives reasons."""
    addresses = tuple(view.kind.dimension for view in VIEWS if view.is_default)
    return ("reason", *addresses) if has_exit_events else addresses


def kinds_of(by: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return the kinds of address among some dimensions."""
    return tuple(ADDRESS_KINDS[name] for name in by if name in ADDRESS_KINDS)


@dataclass(frozen=True)
class Query:
    """What to show: dimensions, order, number of lines (0: all), and a text to look for."""

    by: tuple[str, ...] = default_dimensions(has_exit_events=True)
    sort: str = "time"
    limit: int = 0
    text: str = ""

    @property
    def groups(self) -> tuple[str, ...]:
        """The dimensions that are not addresses."""
        return tuple(name for name in self.by if name not in ADDRESS_KINDS)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of address asked for."""
        return kinds_of(self.by)


def default_query(
    has_exit_events: bool, by: tuple[str, ...] | None, sort: str | None, limit: int = 0
) -> Query:
    """Return a query in which what is None is chosen by what the back end tells."""
    by = by or default_dimensions(has_exit_events)
    return Query(by, sort or ("time" if has_exit_events else "rate"), limit)


@dataclass(frozen=True)
class View:
    """The lines, how many more there are that the limit leaves out, and which guests ended."""

    query: Query
    lines: Sequence[Line]
    hidden: int
    ended: frozenset[tuple[int, str]] = frozenset()


def view(snapshot: Snapshot, query: Query) -> View:
    """Group, measure, rank and cut."""
    lines = _lines(snapshot, query)
    shown = lines[: query.limit or None]
    return View(query, shown, len(lines) - len(shown), snapshot.ended)


def _lines(snapshot: Snapshot, query: Query) -> OnDemand[Line]:
    """Return all lines; all sums are made at once: a pass for each group is quadratic in guests."""
    rows = wanted_rows(snapshot, query)
    measure = _Measure(snapshot, query, AddressNames(snapshot).name)
    by = fields_of(query.groups)
    if not by:
        return listed(measure.groups(rows.summed_by(ADDRESS_FIELDS)[0], ADDRESS_FIELDS), query.sort)
    sums, place = rows.summed_by(by)
    groups = measure.groups(sums, by)
    if not query.kinds:
        return listed(groups, query.sort)
    addressed = rows.of_kinds(query.kinds)
    sums, sum_of = rows.chosen(addressed).summed_by((*by, *ADDRESS_FIELDS))
    group_of = np.empty(len(sums), np.intp)
    group_of[sum_of] = place[addressed]
    below = measure.groups(sums, (*by, *ADDRESS_FIELDS), depth=1)
    return tree(groups, below, group_of, query.sort)


def wanted_rows(snapshot: Snapshot, query: Query) -> Rows:
    """Return the rows the query is about; idle time is in them where it has its own groups."""
    keep = _wanted(snapshot, query)
    rows = snapshot.rows.chosen(keep)
    return rows if "reason" in query.groups else without_idle_time(rows, snapshot.idle[keep])


def _wanted(snapshot: Snapshot, query: Query) -> NDArray[np.bool_]:
    """Which rows the query is about, shape (n,)."""
    rows = snapshot.rows
    keep = np.ones(len(rows), bool)
    if not query.groups:
        keep &= rows.of_kinds(query.kinds)
    if query.text:
        keep &= _matching(snapshot, query.text.lower())
    return keep


def _matching(snapshot: Snapshot, text: str) -> NDArray[np.bool_]:
    """Which rows have the text in their VM's name, their reason, their address or its name."""
    rows = snapshot.rows
    vms = np.array([text in name.lower() for name in snapshot.vms] + [False], bool)
    reasons = np.array([text in name.lower() for name in snapshot.reasons] + [False], bool)
    order, fresh = grouped(rows.fields, PLACE)
    naming = AddressNames(snapshot).name
    shown = [
        kind != NO_KIND and text in _written(address, naming(kind, address, snapshot.vms[vm], pid))
        for kind, address, vm, pid in rows.fields[order[fresh]][list(PLACE)].tolist()
    ]
    found: NDArray[np.bool_] = vms[rows["vm"]] | reasons[rows["reason"]]
    found[order] |= np.array(shown, bool)[np.cumsum(fresh) - 1]
    return found


def _written(address: int, name: AddressName | None) -> str:
    """Return the ways in which an address is written, as a port and as anything else, and named."""
    named = name.text.lower() if name else ""
    return f"{address:#x} {address:#06x} {address:#010x} {named}"


class _Measure:
    """Makes groups of sums: what their numbers are relative to, and what their names are."""

    def __init__(self, snapshot: Snapshot, query: Query, naming: Naming) -> None:
        self._of = snapshot
        self._has_idle = "reason" in query.groups  # only such groups are idle time
        self._exit_ns = int(snapshot.rows["total_ns"][~snapshot.idle].sum())
        self._naming = naming

    def groups(self, sums: Rows, by: tuple[str, ...], depth: int = 0) -> Groups:
        """Return the groups; a number is nan where it is not known or makes no sense."""
        numbers = measures(sums, self._of.duration_s)
        with np.errstate(invalid="ignore", divide="ignore"):
            numbers["time"] = numbers["time"] / self._exit_ns
        if self._has_idle:
            numbers["time"][idle_rows(sums, self._of.reasons)] = np.nan
        return Groups(sums.fields, numbers, by, self._of.vms, self._of.reasons, self._naming, depth)
