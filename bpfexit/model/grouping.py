"""Groups of rows: what they are about, and their numbers; shared by all that group rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.registry import KINDS
from bpfexit.model.address_names import AddressName
from bpfexit.model.histogram import quantiles
from bpfexit.model.rows import NO_REASON, Rows

_GROUP_FIELDS = {
    "vm": ("vm", "pid"),
    "vcpu": ("vm", "pid", "tid", "vcpu"),
    "reason": ("isa", "reason"),
}
ADDRESS_FIELDS = ("kind", "address", "access")
"""The fields that rows of one address agree in."""


@dataclass(frozen=True)
class GroupKey:
    """What a line is about; what it is not grouped by is None.

    `depth` 1 is an address under the group of depth 0 above it. `name` says what
    lies at the address; two that are about the same may have got different ones.
    """

    depth: int
    vm: str | None
    pid: int | None
    vcpu: int | None
    tid: int | None
    reason: str | None
    kind: Kind
    access: Access
    address: int | None
    name: AddressName | None = field(compare=False)


Naming = Callable[[Kind, int, str | None, int | None], AddressName | None]
"""Gives the name of an address, by kind and number, in the guests of a name and process if any."""


def fields_of(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the fields in which the rows of a group agree, for dimensions that are no address."""
    return tuple(dict.fromkeys(field for name in groups for field in _GROUP_FIELDS[name]))


def group_key(
    row: Any,
    fields: Sequence[str],
    depth: int,
    vms: tuple[str, ...],
    reasons: tuple[str, ...],
    naming: Naming,
) -> GroupKey:
    """Return what a sum of rows by these fields is about; `row` is one of `Rows.fields`.

    An address has the name that it has in the guest, where that is one of the fields.
    """
    reason = int(row["reason"])
    vm = vms[row["vm"]] if "vm" in fields else None
    pid = int(row["pid"]) if "pid" in fields else None
    addressed = "address" in fields and row["kind"] != NO_KIND
    kind, address = KINDS[int(row["kind"])] if addressed else NO_KIND, int(row["address"])
    return GroupKey(
        depth=depth,
        vm=vm,
        pid=pid,
        vcpu=int(row["vcpu"]) if "vcpu" in fields else None,
        tid=int(row["tid"]) if "tid" in fields else None,
        reason=reasons[reason] if "reason" in fields and reason != NO_REASON else None,
        kind=kind,
        access=Access(row["access"]) if addressed else Access.NONE,
        address=address if addressed else None,
        name=naming(kind, address, vm, pid) if addressed else None,
    )


def measures(sums: Rows, seconds: float) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of each sum of rows over so many seconds, shape (n,); nan: not known.

    count: exits; rate: exits/s; time: from exit to entry, ns, of all those exits;
    mean, p50, p99, max: of one, ns; user: share of the exits that went to user space;
    user_mean: how long those were there, ns.
    """
    count, timed, max_ns = sums["count"], sums["timed"], sums["max_ns"]
    known = timed > 0
    p50, p99 = _quantiles(sums, (0.5, 0.99))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return {
            "count": count.astype(float),
            "rate": count / seconds if seconds else np.full(len(count), np.nan),
            "time": np.where(known, sums["total_ns"], np.nan),
            "mean": sums["total_ns"] / np.where(known, timed, np.nan),
            "p50": p50,
            "p99": p99,
            "max": np.where(known, max_ns, np.nan),
            "user": np.where(count > 0, np.minimum(sums["user_count"] / count, 1), np.nan),
            "user_mean": sums["user_ns"] / sums["user_count"],
        }


def _quantiles(sums: Rows, wanted: Sequence[float]) -> NDArray[np.float64]:
    """Return these quantiles of each sum, shape (len(wanted), n)."""
    found = [np.empty((len(wanted), 0))]
    for block in sums.blocks():
        hist, max_ns = block.hist.dense(), block["max_ns"]
        found.append(np.stack([quantiles(hist, each, max_ns) for each in wanted]))
    return np.concatenate(found, axis=1)


def without_idle_time(rows: Rows, idle: NDArray[np.bool_]) -> Rows:
    """HLT still counts as an exit, but its time is in no sum that mixes reasons."""
    fields = rows.fields.copy()
    for name in ("timed", "total_ns", "max_ns", "user_ns", "user_count"):
        fields[name][idle] = 0
    return Rows(fields, rows.hist.without(idle))
