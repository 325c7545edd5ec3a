"""Where the time of vCPUs goes: the guest, KVM, user space, waiting for a CPU, idle. Pure.

No time is in two parts: the first three leave out what the thread waited for a CPU, and so
does idle time, whose delay after the wake-up is waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTS = ("guest_ns", "kvm_ns", "user_ns", "wait_ns", "idle_ns")
PART_FIELDS = np.dtype([(name, "i8") for name in PARTS])
"""The parts of a vCPU's time, ns.

In an interval a part may be negative. Time in flight is counted where the vCPU is; if its
end shows that the thread waited, it is moved to `wait_ns`. All sums are exact.
"""


@dataclass(frozen=True)
class VcpuTime:
    """Where time went, ns; `wait` is None, and within the others, where it is not measured."""

    guest: int
    kvm: int
    user: int
    wait: int | None
    idle: int

    def __add__(self, other: VcpuTime) -> VcpuTime:
        """Add two up; waiting is unknown only where it is in both."""
        waits = [each.wait for each in (self, other) if each.wait is not None]
        return VcpuTime(
            self.guest + other.guest,
            self.kvm + other.kvm,
            self.user + other.user,
            sum(waits) if waits else None,
            self.idle + other.idle,
        )

    @property
    def total(self) -> int:
        """All of it, ns."""
        return self.guest + self.kvm + self.user + (self.wait or 0) + self.idle

    @property
    def shares(self) -> VcpuShares:
        """The parts as shares, which add up to 1; nan of no time at all."""
        parts = [max(0, part) for part in (self.guest, self.kvm, self.user, self.idle)]
        wait = None if self.wait is None else max(0, self.wait)
        total = sum(parts) + (wait or 0) or float("nan")
        guest, kvm, user, idle = (part / total for part in parts)
        return VcpuShares(guest, kvm, user, None if wait is None else wait / total, idle)


@dataclass(frozen=True)
class VcpuShares:
    """Where time went, as shares of all of it; `wait` is None where it is not measured."""

    guest: float
    kvm: float
    user: float
    wait: float | None
    idle: float


def time_of(parts: NDArray[Any], *, has_waiting: bool) -> VcpuTime:
    """Return the time of some vCPUs together; `parts` has `PARTS` among its fields, shape (n,)."""
    guest, kvm, user, wait, idle = (int(parts[name].sum()) for name in PARTS)
    return VcpuTime(guest, kvm, user, wait if has_waiting else None, idle)


def parts_so_far(vcpus: NDArray[Any], now_ns: int, idle: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the parts of each vCPU's time from when it was first seen until now, or its end.

    `vcpus` are struct vcpu, shape (n,), `now_ns` is by CLOCK_MONOTONIC and not before what they
    have; `idle` says whose exit in progress is idle time. Of each vCPU, the parts add up to
    the time since it was seen, to the nanosecond: what is in no other part is KVM's.
    """
    counters = {name: vcpus[name].astype(np.int64) for name in _COUNTERS}
    until = np.where(counters["end_ns"] > 0, counters["end_ns"], now_ns)
    is_seen = (vcpus["owner"] != 0) & (counters["seen_ns"] > 0)
    guest = counters["guest_ns"] + np.where(counters["guest_ns"] < 0, until, 0)
    in_exit = (counters["guest_ns"] >= 0) & (counters["exit_ns"] > 0)
    in_idle, in_other = in_exit & idle, in_exit & ~idle
    trip_ns = np.where(counters["user_since"] > 0, until - counters["user_since"], 0)
    user_ns = counters["user_ns"] - counters["user_wait_ns"] + trip_ns
    parts = np.zeros(len(vcpus), PART_FIELDS)
    parts["guest_ns"] = guest - counters["guest_wait_ns"]
    parts["user_ns"] = counters["busy_user_ns"] + np.where(in_other, user_ns, 0)
    parts["wait_ns"] = counters["guest_wait_ns"] + counters["wait_ns"]
    parts["idle_ns"] = counters["idle_ns"] + np.where(in_idle, until - counters["exit_ns"], 0)
    parts["kvm_ns"] = until - counters["seen_ns"] - sum(parts[name] for name in PARTS)
    parts[~is_seen] = 0
    return parts


_COUNTERS = (
    "seen_ns",
    "end_ns",
    "exit_ns",
    "guest_ns",
    "guest_wait_ns",
    "wait_ns",
    "idle_ns",
    "busy_user_ns",
    "user_ns",
    "user_wait_ns",
    "user_since",
)
