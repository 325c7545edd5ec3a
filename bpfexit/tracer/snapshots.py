"""Two samples make a snapshot. Pure: all names are given."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Guest, Identity
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.sample import (
    KIND_MASK,
    REASON_SHIFT,
    Difference,
    Sample,
    name_owners,
    name_reasons,
    of_traced,
    rows_by_name,
)
from bpfexit.model.slow import Slow, Threshold, slow_exits
from bpfexit.model.snapshot import VCPU_FIELDS, Origin, Snapshot
from bpfexit.model.vcpu_parts import PARTS, parts_so_far
from bpfexit.names.reasons import IDLE, Isa, Reasons
from bpfexit.tracer.owners import identities, vm_places


@dataclass(frozen=True)
class Names:
    """The sources of a snapshot's names, and the limits of its numbers.

    `name_of` returns a guest's name by its process, and `notices` tell why addresses cannot be
    named. `threshold` is that of slow exits, None if they are not reported, and `only` the reasons
    that alone are counted.
    """

    reasons: Reasons
    guests: tuple[Guest, ...]
    name_of: Callable[[Identity], str]
    notices: tuple[str, ...]
    origin: Origin
    threshold: Threshold | None
    only: tuple[str, ...]

    @property
    def exits_only(self) -> bool:
        """Whether accesses outside exits are not counted."""
        return bool(self.only)


def make_snapshot(
    diff: Difference,
    before: Sample,
    after: Sample,
    names: Names,
    *,
    start: float,
    clock_offset_s: float,
    lost: Lost,
    cost: OwnCost,
) -> Snapshot:
    """Return what happened between two samples; `start` is unix time, s.

    `clock_offset_s` is unix time minus CLOCK_MONOTONIC.
    """
    diff = of_traced(diff, after.vcpus)
    name_owners(diff, after.vcpus)
    reasons = name_reasons(diff, names.reasons)
    vms, vm_of_slot = vm_places(identities(after.vcpus), names.name_of)
    diff.rows.fields["vm"] = vm_of_slot[diff.slots]
    return Snapshot(
        start=start,
        duration_s=(after.taken_ns - before.taken_ns) / 1e9,
        rows=rows_by_name(diff),
        vcpus=_seen_vcpus(before, after, vm_of_slot, names)[after.vcpus["traced"] != 0],
        vms=vms,
        reasons=reasons,
        lost=lost,
        in_flight=int(_unfinished(after.vcpus, names.exits_only, ended=False).sum()),
        origin=names.origin,
        guests=names.guests,
        slow=_slow(before, after, names, clock_offset_s),
        only=names.only,
        cost=cost,
        notices=names.notices,
    )


def lost_so_far(after: Sample, of_ended: Lost, exits_only: bool) -> Lost:
    """Return all losses since the start; `of_ended` are those of slots that were freed."""
    lost = of_ended + lost_in(after.vcpus, exits_only)
    return replace(lost, vcpus_full=after.slots_full, missed=after.missed)


def lost_in(vcpus: NDArray[Any], exits_only: bool) -> Lost:
    """Return the losses that vCPUs count: not those without a slot, and not missed runs."""
    return Lost(
        map_full=int(vcpus["map_full"].sum()),
        unpaired=int(vcpus["unpaired"].sum()),
        extra_accesses=int(vcpus["extra_accesses"].sum()),
        string_io=int(vcpus["string_io"].sum()),
        unended=int(_unfinished(vcpus, exits_only, ended=True).sum()),
    )


def _unfinished(vcpus: NDArray[Any], exits_only: bool, *, ended: bool) -> NDArray[np.bool_]:
    """Which vCPUs are in an exit, or made an access outside one that is not counted yet."""
    unfinished: NDArray[np.bool_] = vcpus["exit_ns"] != 0
    if not exits_only:
        unfinished |= (vcpus["packed_key"] & KIND_MASK != 0) & (vcpus["isa"] != Isa.NONE)
    unfinished &= (vcpus["traced"] != 0) & ((vcpus["task"] == 0) == ended)
    return unfinished


def _seen_vcpus(
    before: Sample, after: Sample, vm_of_slot: NDArray[np.uint32], names: Names
) -> NDArray[Any]:
    vcpus = after.vcpus
    seen = np.zeros(len(vcpus), VCPU_FIELDS)
    seen["vm"] = vm_of_slot
    seen["pid"] = vcpus["owner"] >> 32
    seen["tid"] = vcpus["owner"] & 0xFFFFFFFF
    seen["vcpu"] = vcpus["vcpu_id"]
    if names.origin.has_exit_events and not names.exits_only:
        _add_parts(seen, parts_at(after, names.reasons))
        _add_parts(seen, parts_at(before, names.reasons), -1)
        seen["has_parts"] = True
    return seen


def _add_parts(seen: NDArray[Any], parts: NDArray[Any], sign: int = 1) -> None:
    for name in PARTS:
        seen[name][: len(parts)] += sign * parts[name]


def parts_at(sample: Sample, reasons: Reasons) -> NDArray[Any]:
    """Return the parts of the vCPUs' time until a sample was taken."""
    vcpus = sample.clock
    return parts_so_far(vcpus, sample.taken_ns, _in_idle_exit(vcpus, reasons))


def _in_idle_exit(vcpus: NDArray[Any], reasons: Reasons) -> NDArray[np.bool_]:
    """Which vCPUs are in an exit in which the guest is idle, if they are in one, shape (n,)."""
    isas = vcpus["isa"].astype(np.uint64) << np.uint64(32)
    pairs, place = np.unique(isas | vcpus["packed_key"] >> REASON_SHIFT, return_inverse=True)
    are_idle = [reasons.name(int(pair) >> 32, int(pair) & 0xFFFFFFFF) in IDLE for pair in pairs]
    idle: NDArray[np.bool_] = np.array([*are_idle, False], bool)[place]
    return idle


def _slow(before: Sample, after: Sample, names: Names, clock_offset_s: float) -> Slow | None:
    if names.threshold is None or after.slow is None:
        return None
    return Slow(
        names.threshold.than_ns,
        slow_exits(
            *(after.slow, names.reasons, names.name_of, clock_offset_s),
            has_waiting=names.origin.has_waiting,
            has_blocked=names.origin.has_blocked,
        ),
        limited=_grown(before, after, "slow_limited"),
        dropped=_grown(before, after, "slow_dropped"),
    )


def _grown(before: Sample, after: Sample, field: str) -> int:
    return int(after.vcpus[field].sum()) - int(before.vcpus[field].sum())
