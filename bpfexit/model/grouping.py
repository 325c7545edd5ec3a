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
from bpfexit.model.histogram import LOWER_NS, quantiles
from bpfexit.model.rows import NO_REASON, SUMS, Rows
from bpfexit.model.structs import copied
from bpfexit.names.reason_classes import CLASSES

_GROUP_FIELDS = {
    "vm": ("vm", "pid"),
    "vcpu": ("vm", "pid", "tid", "vcpu"),
    "class": ("class",),
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
    reason_class: str | None
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
        reason_class=CLASSES[int(row["class"])] if "class" in fields else None,
        reason=reasons[reason] if "reason" in fields and reason != NO_REASON else None,
        kind=kind,
        access=Access(row["access"]) if addressed else Access.NONE,
        address=address if addressed else None,
        name=naming(kind, address, vm, pid) if addressed else None,
    )


def measures(
    sums: Rows,
    seconds: float,
    *,
    has_waiting: bool,
    has_blocked: bool = False,
    has_polling: bool = False,
    all_exits: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of each sum of rows over so many seconds, shape (n,); nan: not known.

    count: exits; rate: exits/s; time: from exit to entry, ns, of all those exits;
    mean, p50, p90, p99, p999, max: of one, ns; wait: share of that time waiting for a CPU;
    wait_mean: waiting per exit, ns; user: share of the exits that went to user space; user_mean:
    how long those were there, ns; user_wait: share of that time waiting for a CPU. Without
    `has_waiting`, waiting is not known. blocked, blocked_mean, user_blocked: the same of being
    blocked, known with `has_blocked`; user_cpu: the rest of user space. polled: cores that polled
    for the end of halts; poll_mean: polling per exit, ns; both are known with `has_polling`.
    min: lower edge of the lowest bucket, ns; stddev: as if the buckets were even, ns; error: that
    of the mean, as a share of it; samples: share of `all_exits`.
    """
    count, timed, max_ns = sums["count"], sums["timed"], sums["max_ns"]
    known = timed > 0
    waiting, blocked = known & has_waiting, known & has_blocked
    polled = known & has_polling & (sums["poll_ns"] > 0)
    in_user = np.where(has_blocked, sums["user_ns"], np.nan)
    p50, p90, p99, p999 = _quantiles(sums, (0.5, 0.9, 0.99, 0.999))
    stddev, lowest = sums.hist.stddev(max_ns), sums.hist.lowest()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = sums["total_ns"] / np.where(known, timed, np.nan)
        return {
            "count": count.astype(float),
            "rate": count / seconds if seconds else np.full(len(count), np.nan),
            "time": np.where(known, sums["total_ns"], np.nan),
            "mean": mean,
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "p999": p999,
            "max": np.where(known, max_ns, np.nan),
            "wait": sums["wait_ns"] / np.where(waiting, sums["total_ns"], np.nan),
            "wait_mean": sums["wait_ns"] / np.where(waiting, timed, np.nan),
            "blocked": sums["blocked_ns"] / np.where(blocked, sums["total_ns"], np.nan),
            "blocked_mean": sums["blocked_ns"] / np.where(blocked, timed, np.nan),
            "polled": sums["poll_ns"] / (seconds * 1e9 if has_polling and seconds else np.nan),
            "poll_mean": sums["poll_ns"] / np.where(polled, timed, np.nan),
            "user": np.where(count > 0, np.minimum(sums["user_count"] / count, 1), np.nan),
            "user_wait": sums["user_wait_ns"] / np.where(has_waiting, sums["user_ns"], np.nan),
            "user_blocked": sums["user_blocked_ns"] / in_user,
            "user_cpu": np.maximum(in_user - sums["user_wait_ns"] - sums["user_blocked_ns"], 0)
            / in_user,
            "user_mean": sums["user_ns"] / sums["user_count"],
            "samples": count / (all_exits or np.nan),
            "min": np.where(lowest < 0, np.nan, LOWER_NS[lowest]),
            "stddev": stddev,
            "error": stddev / np.sqrt(timed) / mean,
        }


def _quantiles(sums: Rows, wanted: Sequence[float]) -> NDArray[np.float64]:
    """Return these quantiles of each sum, shape (len(wanted), n)."""
    if not len(sums.hist.row):
        return np.full((len(wanted), len(sums)), np.nan)
    blocks = [np.empty((len(wanted), 0))]
    for block in sums.blocks():
        hist, max_ns = block.hist.dense(), block["max_ns"]
        blocks.append(quantiles(hist, wanted, max_ns))
    return np.concatenate(blocks, axis=1)


def without_idle_time(rows: Rows, idle: NDArray[np.bool_]) -> Rows:
    """HLT still counts as an exit, but its time is in no sum that mixes reasons."""
    fields = copied(rows.fields)
    for name in (*SUMS, "max_ns"):
        if name not in ("count", "poll_ns"):
            fields[name][idle] = 0
    return Rows(fields, rows.hist.without(idle))
