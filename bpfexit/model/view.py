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
    GroupKey,
    fields_of,
    group_key,
    measures,
    with_names,
    without_idle_time,
)
from bpfexit.model.rows import NO_REASON, Rows, grouped
from bpfexit.model.snapshot import Snapshot, idle_rows

ADDRESS_KINDS = {view.kind.dimension: view.kind for view in VIEWS}
DIMENSIONS = ("vm", "vcpu", "reason", *ADDRESS_KINDS)
"""What a view may be grouped by; those after the reason are addresses."""

_NAME_FIELDS = ("vm", "vcpu", "pid", "tid", "reason", "isa", *ADDRESS_FIELDS)


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
class Line(GroupKey):
    """One line of a view: what it is about, and its numbers by column name (nan: not known)."""

    numbers: dict[str, float]


@dataclass(frozen=True)
class View:
    """The lines, how many more there are that the limit leaves out, and which guests ended."""

    query: Query
    lines: list[Line]
    hidden: int
    ended: frozenset[tuple[int, str]] = frozenset()


def view(snapshot: Snapshot, query: Query) -> View:
    """Group, measure, rank and cut."""
    rows = wanted_rows(snapshot, query)
    exit_ns = int(snapshot.rows["total_ns"][~snapshot.idle].sum())
    measure = _Measure(snapshot.reasons, snapshot.vms, snapshot.duration_s, exit_ns, query)
    if query.groups and query.kinds:
        lines, total = measure.tree(rows)
    else:
        sums, _ = rows.summed_by(fields_of(query.groups) or ADDRESS_FIELDS)
        lines, total = measure.lines(sums), len(sums)
    shown = with_names(lines, AddressNames(snapshot).name)
    return View(query, shown, total - len(lines), snapshot.ended)


def wanted_rows(snapshot: Snapshot, query: Query) -> Rows:
    """Return the rows the query is about; idle time is in them where it has its own groups."""
    keep = _wanted(snapshot, query)
    rows = snapshot.rows if keep.all() else snapshot.rows.take(keep)
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


@dataclass(frozen=True)
class _Measure:
    """What the numbers of a group are relative to."""

    reasons: tuple[str, ...]
    vms: tuple[str, ...]
    seconds: float
    exit_ns: int
    query: Query

    def lines(self, sums: Rows) -> list[Line]:
        """Return the best lines of groups without addresses, or of addresses without groups."""
        fields = fields_of(self.query.groups) or ADDRESS_FIELDS
        numbers = self.numbers(sums)
        return [
            self.line(sums, numbers, at, fields, 0)
            for at in self.ranked(sums, numbers, fields)[: self.query.limit or None]
        ]

    def tree(self, rows: Rows) -> tuple[list[Line], int]:
        """Return the best lines, each group's followed by its addresses', and how many there are.

        All sums are made at once: a pass over the rows for each group is quadratic in guests.
        """
        fields = fields_of(self.query.groups)
        groups, place = rows.summed_by(fields)
        addressed = rows.of_kinds(self.query.kinds)
        rows = rows if addressed.all() else rows.take(addressed)
        found, sum_of = rows.summed_by((*fields, *ADDRESS_FIELDS))
        group_of = np.empty(len(found), np.intp)  # ascending, since both are in order of `fields`
        group_of[sum_of] = place[addressed]
        starts = np.searchsorted(group_of, np.arange(len(groups) + 1)).tolist()
        total = len(groups) + len(found)
        limit = self.query.limit or total
        numbers, below = self.numbers(groups), self.numbers(found)
        lines: list[Line] = []
        for group in self.ranked(groups, numbers, fields):
            if len(lines) >= limit:
                break
            lines.append(self.line(groups, numbers, group, fields, 0))
            first, end = starts[group], starts[group + 1]
            own = {name: column[first:end] for name, column in below.items()}
            addresses = found.part(first, end)
            lines += [
                self.line(addresses, own, at, ADDRESS_FIELDS, 1)
                for at in self.ranked(addresses, own, ADDRESS_FIELDS)[: limit - len(lines)]
            ]
        return lines, total

    def ranked(
        self, sums: Rows, numbers: dict[str, NDArray[np.float64]], fields: Sequence[str]
    ) -> list[int]:
        """Return the places of the groups in their order."""
        return _ranked(numbers, self.query.sort, self.names(sums, fields))

    def numbers(self, sums: Rows) -> dict[str, NDArray[np.float64]]:
        """Return each column, shape (n,); nan where it is not known or makes no sense."""
        numbers = measures(sums, self.seconds)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = numbers["time"] / self.exit_ns
        return numbers | {"time": np.where(self.idle(sums), np.nan, share)}

    def idle(self, sums: Rows) -> NDArray[np.bool_]:
        """Which groups are idle time: only a grouping by reason has such."""
        if "reason" not in self.query.groups:
            return np.zeros(len(sums), bool)
        return idle_rows(sums, self.reasons)

    def names(self, sums: Rows, fields: Sequence[str]) -> list[tuple[object, ...]]:
        """Return what each group is sorted by when the order is that of names.

        A field that is not grouped by is that of any one row, so it has no say.
        """
        keys: list[list[object]] = [
            [self.name(field, value) for value in sums[field].tolist()]
            for field in _NAME_FIELDS
            if field in fields
        ]
        return list(zip(*keys, strict=True))

    def name(self, field: str, value: int) -> object:
        """Return what a field's value is sorted by: a name, where it is the place of one."""
        if field == "vm":
            return self.vms[value]
        if field == "reason":
            return "" if value == NO_REASON else self.reasons[value]
        return value

    def line(
        self,
        sums: Rows,
        numbers: dict[str, NDArray[np.float64]],
        at: int,
        fields: Sequence[str],
        depth: int,
    ) -> Line:
        """Return the line of one group; what it is not grouped by is None."""
        about = group_key(sums.fields[at], fields, depth, self.vms, self.reasons)
        return Line(
            **vars(about), numbers={name: float(column[at]) for name, column in numbers.items()}
        )


def _ranked(
    numbers: dict[str, NDArray[np.float64]], sort: str, names: list[tuple[object, ...]]
) -> list[int]:
    """Return the places of the groups: by name, or largest first and unknown last.

    Equals are ordered by count, then by name, so that lines do not jump about.
    """
    by_name = sorted(range(len(names)), key=names.__getitem__)
    if sort == "name":
        return by_name
    key, count = numbers[sort], numbers["count"]
    return sorted(by_name, key=lambda at: (np.isnan(key[at]), -np.nan_to_num(key[at]), -count[at]))
