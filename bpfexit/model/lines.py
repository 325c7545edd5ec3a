"""Lines of views and findings: one per sum of rows, made on access."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.grouping import ADDRESS_FIELDS, GroupKey, Naming, group_key
from bpfexit.model.histogram import Counts
from bpfexit.model.histograms import Histograms
from bpfexit.model.on_demand import OnDemand
from bpfexit.model.rows import NO_REASON
from bpfexit.names.reason_classes import CLASSES

_NAME_FIELDS = ("vm", "vcpu", "pid", "tid", "class", "reason", "isa", *ADDRESS_FIELDS)
"""The fields that order lines by name."""

_OWNER_FIELDS = ("vm", "pid", "tid", "vcpu")
"""The fields of a key that are None only where lines are not grouped by them."""

_OF_ADDRESS = ("address", "access")

_FEW = 512
"""Groups that are found through a dictionary; of more, it would take too much memory."""

_NOWHERE = -2
"""The place of a name that is not among the names."""

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Line(GroupKey):
    """One line of a view: what it is about, and its numbers by column key (nan if unknown)."""

    key: GroupKey = field(repr=False)
    numbers: dict[str, float]


def about(line: Line) -> GroupKey:
    """Return what a line is about, which is the same in every interval."""
    return line.key


@dataclass(frozen=True)
class Groups:
    """Sums of rows that agree in the fields `by`, with numbers by column key, shape (n,).

    `fields` are those of the sums, dtype `FIELDS`, shape (n,); their `vm` and `reason` are indexes
    into `vms` and `reasons`.
    """

    fields: NDArray[Any]
    numbers: Mapping[str, NDArray[np.float64]]
    by: tuple[str, ...]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    naming: Naming
    hist: Histograms
    depth: int = 0

    def __len__(self) -> int:
        return len(self.fields)

    def line(self, index: int) -> Line:
        """Return the line of one group; None for what it is not grouped by."""
        key = group_key(
            self.fields[index], self.by, self.depth, self.vms, self.reasons, self.naming
        )
        numbers = {name: float(column[index]) for name, column in self.numbers.items()}
        return Line(**vars(key), key=key, numbers=numbers)

    def find(self, key: GroupKey) -> int | None:
        """Return the place of the group that a key is about; None if it is not there."""
        for name in _OWNER_FIELDS:
            if (getattr(key, name) is None) == (name in self.by):
                return None
        wanted = tuple([self._number(key, name) for name in self._identifying])
        if wanted and len(self) <= _FEW:
            return self._place_of.get(wanted)
        keep = np.ones(len(self), bool)
        for column, number in zip(self._columns(), wanted, strict=True):
            keep &= column == number
        found = np.flatnonzero(keep)
        return int(found[0]) if len(found) else None

    @cached_property
    def _identifying(self) -> list[str]:
        return [name for name in self.by if name != "isa"]

    def _columns(self) -> Iterator[NDArray[Any]]:
        """Yield the fields that identify a group; one without a kind has no address."""
        for name in self._identifying:
            column: NDArray[Any] = self.fields[name]
            if name == "vm":
                column = np.array([self._index_of["vm"][vm] for vm in self.vms], np.intp)[column]
            yield column * (self.fields["kind"] > 0) if name in _OF_ADDRESS else column

    @cached_property
    def _place_of(self) -> dict[tuple[int, ...], int]:
        rows = [*zip(*(column.tolist() for column in self._columns()), strict=True)]
        return {row: place for place, row in reversed([*enumerate(rows)])}

    def _number(self, key: GroupKey, name: str) -> int:
        """Return what the field of a key is in `fields`; -1 or -2 if nothing has it."""
        if name in _OF_ADDRESS and not key.kind:
            return 0
        value: Any = key.reason_class if name == "class" else getattr(key, name)
        if name not in ("vm", "reason", "class"):
            return int(value)
        if value is None:
            return NO_REASON
        return self._index_of[name].get(value, _NOWHERE)

    @cached_property
    def _index_of(self) -> dict[str, dict[str, int]]:
        """The first index of each name."""
        names = {"vm": self.vms, "reason": self.reasons, "class": CLASSES}
        return {
            kind: {text: index for index, text in reversed([*enumerate(texts)])}
            for kind, texts in names.items()
        }

    def counts(self, place: int) -> Counts:
        """Return a group's histogram, shape (BUCKETS,)."""
        counts: Counts = self.hist.part(place, place + 1).dense()[0]
        return counts

    def order(self, sort: str) -> Places:
        """Return the indexes of the groups in order: by name, or largest first and unknown last.

        Equal groups are ordered by count, then by name, so that lines do not jump.
        """
        keys = [*self._names()]
        if sort != "name":
            count = self.numbers["count"]
            key = self.numbers.get(sort, count)  # other groupings may have other columns
            keys = [np.isnan(key), -np.nan_to_num(key), -count, *keys]
        return _sorted_by(*keys)

    def _names(self) -> Iterator[NDArray[Any]]:
        """Yield the arrays that order groups by name, without the fields not grouped by."""
        for name in _NAME_FIELDS:
            if name in self.by:
                column: NDArray[Any] = self.fields[name]
                yield self._ranks(name)[column] if name in ("vm", "reason") else column

    def _ranks(self, name: str) -> Places:
        """Return the rank of each name; the last element is that of NO_REASON."""
        names = self.vms if name == "vm" else (*self.reasons, "")
        rank = {text: rank_number for rank_number, text in enumerate(sorted(set(names)))}
        return np.array([rank[text] for text in names], np.intp)


@dataclass(frozen=True)
class Ordered:
    """Groups and those below them, each after its own group, in the order of `places`.

    A place beyond the groups is that of a group below, from `len(groups)` on.
    """

    places: Places
    groups: Groups
    below: Groups | None = None

    def __len__(self) -> int:
        return len(self.places)

    def lines(self) -> OnDemand[Line]:
        """Return their lines, each made when it is looked at."""
        return OnDemand.keeping(self.places, self._line)

    def find(self, key: GroupKey) -> int | None:
        """Return the position of what a line is about; None if it is not there."""
        groups, first = (self.groups, 0)
        if key.depth and self.below is not None:
            groups, first = self.below, len(self.groups)
        place = groups.find(key)
        if place is None:
            return None
        return int(np.flatnonzero(self.places == place + first)[0])

    def counts(self, position: int) -> Counts:
        """Return the histogram at a position, shape (BUCKETS,)."""
        groups, place = self._at(int(self.places[position]))
        return groups.counts(place)

    def _line(self, place: int) -> Line:
        groups, own = self._at(place)
        return groups.line(own)

    def _at(self, place: int) -> tuple[Groups, int]:
        if self.below is None or place < len(self.groups):
            return self.groups, place
        return self.below, place - len(self.groups)


def listed(groups: Groups, sort: str) -> Ordered:
    """Return groups in their order."""
    return Ordered(groups.order(sort), groups)


def tree(groups: Groups, below: Groups, group_of: Places, sort: str) -> Ordered:
    """Return groups in their order, each followed by those below it in theirs.

    `group_of` has the index of the group of each of `below`.
    """
    rank = _ranks(groups.order(sort))
    rank_of_group = np.concatenate([rank, rank[group_of]])
    is_below = np.arange(len(rank_of_group)) >= len(groups)
    own_rank = np.concatenate([rank, _ranks(below.order(sort))])
    return Ordered(_sorted_by(rank_of_group, is_below, own_rank), groups, below)


def _ranks(order: Places) -> Places:
    """Return the position of each index in an order of all."""
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    return ranks


def _sorted_by(*keys: NDArray[Any]) -> Places:
    """Return the order by the first key, then by the second one, and so on."""
    order: Places = np.lexsort(keys[::-1])
    return order
