"""Lines: what views and findings consist of, one for each sum of rows, made when it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.grouping import ADDRESS_FIELDS, GroupKey, Naming, group_key
from bpfexit.model.on_demand import OnDemand

_NAME_FIELDS = ("vm", "vcpu", "pid", "tid", "reason", "isa", *ADDRESS_FIELDS)
"""What lines are sorted by when their order is that of names."""

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Line(GroupKey):
    """One line of a view: what it is about, and its numbers by column name (nan: not known)."""

    numbers: dict[str, float]


@dataclass(frozen=True)
class Groups:
    """Sums of rows that agree in the fields `by`, with their numbers by column name, shape (n,).

    `fields` are those of the sums, dtype `FIELDS`, shape (n,); `vm` and `reason` are
    places in `vms` and `reasons`.
    """

    fields: NDArray[Any]
    numbers: Mapping[str, NDArray[np.float64]]
    by: tuple[str, ...]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    naming: Naming
    depth: int = 0

    def __len__(self) -> int:
        return len(self.fields)

    def line(self, at: int) -> Line:
        """Return the line of one group; what it is not grouped by is None."""
        about = group_key(self.fields[at], self.by, self.depth, self.vms, self.reasons, self.naming)
        numbers = {name: float(column[at]) for name, column in self.numbers.items()}
        return Line(**vars(about), numbers=numbers)

    def order(self, sort: str) -> Places:
        """Return the places of the groups: by name, or largest first and unknown last.

        Equals are ordered by count, then by name, so that lines do not jump about.
        """
        keys = [*self._names()]
        if sort != "name":
            key, count = self.numbers[sort], self.numbers["count"]
            keys = [np.isnan(key), -np.nan_to_num(key), -count, *keys]
        return _sorted_by(*keys)

    def _names(self) -> Iterator[NDArray[Any]]:
        """Yield what orders the groups by name; a field not grouped by is that of any one row."""
        for name in _NAME_FIELDS:
            if name in self.by:
                column: NDArray[Any] = self.fields[name]
                yield self._ranks(name)[column] if name in ("vm", "reason") else column

    def _ranks(self, name: str) -> Places:
        """Return where in the order of names each place stands; the last answers NO_REASON."""
        names = self.vms if name == "vm" else (*self.reasons, "")
        rank = {text: at for at, text in enumerate(sorted(set(names)))}
        return np.array([rank[text] for text in names], np.intp)


def listed(groups: Groups, sort: str) -> OnDemand[Line]:
    """Return the lines of groups in their order."""
    return OnDemand.keeping(groups.order(sort), groups.line)


def tree(groups: Groups, below: Groups, group_of: Places, sort: str) -> OnDemand[Line]:
    """Return the lines of groups in their order, each followed by those below it in theirs.

    `group_of` is the place of the group that each one below belongs to.
    """
    rank = _ranks(groups.order(sort))
    rank_of_group = np.concatenate([rank, rank[group_of]])
    is_below = np.arange(len(rank_of_group)) >= len(groups)
    own_rank = np.concatenate([rank, _ranks(below.order(sort))])

    def line(at: int) -> Line:
        return groups.line(at) if at < len(groups) else below.line(at - len(groups))

    return OnDemand.keeping(_sorted_by(rank_of_group, is_below, own_rank), line)


def _ranks(order: Places) -> Places:
    """Return where each place stands in an order of all of them."""
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    return ranks


def _sorted_by(*keys: NDArray[Any]) -> Places:
    """Return the order by the first key, then by the second one, and so on."""
    order: Places = np.lexsort(keys[::-1])
    return order
