"""Where the time of guests and vCPUs went, as shares of their own time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histograms import no_histograms
from bpfexit.model.rows import NO_VCPU, Rows, grouped, joined, no_rows
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.time_account import THREAD, has_waiting, vcpu_parts

PARTS = ("in_guest", "away", "in_kvm", "in_user", "steal", "idle")
"""The parts of the time of a vCPU; `away` is those of `_AWAY` together."""

_AWAY = ("in_kvm", "in_user", "steal")
_FIELDS = {
    "in_guest": "guest_ns",
    "in_kvm": "kvm_ns",
    "in_user": "user_ns",
    "steal": "wait_ns",
}

Shares = Mapping[str, NDArray[np.float64]]


def with_idle_vcpus(snapshot: Snapshot, *, with_guests: bool = False) -> Snapshot:
    """Return the snapshot with a row without exits for each vCPU, so that idle ones have a line.

    With `with_guests`, guests of which no vCPU is known have one, too.
    """
    rows = no_rows(len(snapshot.vcpus)).fields
    for name in THREAD:
        rows[name] = snapshot.vcpus[name]
    guests = snapshot.without_vcpus if with_guests else ()
    # Two processes may have a name each that is the same.
    new = dict.fromkeys(guest.name for guest in guests if guest.name not in snapshot.vms)
    vms = (*snapshot.vms, *new)
    without_vcpus = no_rows(len(guests)).fields
    without_vcpus["vm"] = [vms.index(guest.name) for guest in guests]
    without_vcpus["pid"] = [guest.pid for guest in guests]
    without_vcpus["vcpu"] = NO_VCPU
    fields = np.concatenate([rows, without_vcpus])
    idle = Rows(fields, no_histograms(len(fields)))
    return replace(snapshot, rows=joined([snapshot.rows, idle]), vms=vms)


def shares(snapshot: Snapshot, by: Sequence[str]) -> Shares:
    """Return the parts of the time of groups of vCPUs, in the order of the fields `by`.

    Of a snapshot `with_idle_vcpus`: in_guest, in_kvm, in_user, steal (waiting for a CPU) and idle
    are shares of the vCPUs' time in the interval, shape (n,), and add up to 1; away is all
    but in_guest and idle. Idle is HLT; in recordings of older versions also
    what is not known of a vCPU that is in the middle of an exit. nan: not known. Without exit
    events, that is all but the time in user space.
    """
    spent = _spent(snapshot)
    if not snapshot.origin.has_exit_events:
        spent = {name: ns for name, ns in spent.items() if name in ("in_user", "whole")}
    if not has_waiting(snapshot):
        spent.pop("steal", None)
    order, starts = _groups(snapshot, by)
    sums = {
        name: np.add.reduceat(ns[order], starts) if len(starts) else ns[:0]
        for name, ns in spent.items()
    }
    # A long exit belongs to the interval in which it ends, and may have begun before it.
    known = sum((sums[name] for name in ("in_guest", *_AWAY) if name in sums), np.zeros(1))
    whole = np.maximum(sums.pop("whole"), known)
    if snapshot.origin.has_exit_events:
        sums["away"] = known - sums["in_guest"]
        sums["idle"] = whole - known
    unknown = np.full(len(whole), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: sums.get(name, unknown) / whole for name in PARTS}


def unknown_shares(n: int) -> Shares:
    """Return the same of what has no time of its own: nan, shape (n,)."""
    return {name: np.full(n, np.nan) for name in PARTS}


def _spent(snapshot: Snapshot) -> dict[str, NDArray[np.float64]]:
    """Return the parts of the time of each row, then of each vCPU, ns; `whole` is all of it."""
    none = np.zeros(len(snapshot.rows))
    parts = vcpu_parts(snapshot)
    spent = {
        name: np.concatenate([none, np.maximum(0, parts[field])]) for name, field in _FIELDS.items()
    }
    own = np.full(len(parts), snapshot.duration_s * 1e9)
    spent["whole"] = np.concatenate([none, own])
    if not snapshot.origin.has_exit_events:
        in_user = snapshot.rows["user_ns"].astype(float)
        spent["in_user"] = np.concatenate([in_user, np.zeros(len(parts))])
    return spent


def _groups(snapshot: Snapshot, by: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an order of all rows and vCPUs by some fields, and where groups begin in it."""
    owners = [fields[[*THREAD]] for fields in (snapshot.rows.fields, snapshot.vcpus)]
    order, begins = grouped(np.concatenate(owners), by)
    return order, np.flatnonzero(begins)
