"""The dearest exits of guests and vCPUs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bpfexit.model.address_names import AddressNames
from bpfexit.model.at_least import slow_ones
from bpfexit.model.classes import with_classes
from bpfexit.model.grouping import ADDRESS_FIELDS, GroupKey, fields_of, group_key
from bpfexit.model.lines import Groups
from bpfexit.model.snapshot import Snapshot

_EXIT = ("isa", "reason", *ADDRESS_FIELDS)


def dearest(
    snapshot: Snapshot, by: tuple[str, ...], than_ns: int = 0
) -> Callable[[GroupKey], GroupKey | None]:
    """Return what finds a group's reason, or address, that took most of its exit time.

    Where times are unknown it is the one with the most time in user space, then with the most
    accesses. Of exits that took at least `than_ns`, it is the one that they are most of. HLT is
    never dear; None if there are no other exits.
    """
    fields = fields_of(by)
    rows = snapshot.rows.chosen(~snapshot.idle)
    if than_ns:
        rows = slow_ones(rows, than_ns)
    if "class" in fields:
        rows = with_classes(rows, snapshot.reasons)
    sums, _ = rows.summed_by((*fields, *_EXIT))
    keys = [sums["count"]]
    if not than_ns:
        keys += [sums["user_ns"], sums["total_ns"]]
    order = np.lexsort([*keys, *(sums[name] for name in reversed(fields))])
    ranked = sums.fields[order]
    last = np.ones(len(ranked), bool)
    for at, name in enumerate(fields):
        changes = ranked[name][1:] != ranked[name][:-1]
        last[:-1] = changes if not at else last[:-1] | changes
    of, naming = snapshot, AddressNames(snapshot).name
    found = Groups(ranked[last], {}, fields, of.vms, of.reasons, naming, sums.hist)

    def of_group(key: GroupKey) -> GroupKey | None:
        place = found.find(key)
        if place is None:
            return None
        row = found.fields[place]
        return group_key(row, (*fields, *_EXIT), 0, of.vms, of.reasons, naming)

    return of_group
