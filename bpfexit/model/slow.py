"""Single slow exits: the outliers behind a p99, each with its time and address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.events.registry import KINDS
from bpfexit.model.guest import Identity
from bpfexit.model.sample import (
    ACCESS_MASK,
    ACCESS_SHIFT,
    KIND_MASK,
    REASON_SHIFT,
    SIZE_MASK,
    SIZE_SHIFT,
)
from bpfexit.names.reasons import Isa, Reasons

RECORD = np.dtype(
    [
        ("owner", "u8"),
        ("packed_key", "u8"),
        ("target", "u8"),
        ("rip", "u8"),
        ("end_ns", "u8"),
        ("ns", "u8"),
        ("user_ns", "u8"),
        ("wait_ns", "u8"),
        ("user_wait_ns", "u8"),
        ("blocked_ns", "u8"),
        ("user_blocked_ns", "u8"),
        ("process_start", "u8"),
        ("vcpu_id", "u4"),
        ("isa", "u4"),
    ]
)
"""`struct slow_exit` of `bpf_programs/wire.h`; a test compares them."""


@dataclass(frozen=True)
class Threshold:
    """Which exits are slow, and how many are reported per vCPU and second (of 2**30 ns)."""

    than_ns: int
    rate: int


@dataclass(frozen=True)
class SlowExit:
    """One exit that took long; on a back end without exits, one trip to user space.

    `ns` is from exit to entry and None on a back end without exits, as are `reason`
    and `rip`, the guest's instruction pointer; `user_ns` of it was in user space.
    `address` is None if the exit has none. For `wait_ns` of `ns`, and `user_wait_ns` of `user_ns`,
    its thread waited for a CPU; for `blocked_ns` and `user_blocked_ns` it was blocked. They are
    None if that is not measured, and the two that are parts of `ns` as that is.
    """

    end: float  # unix time, s
    vm: str
    pid: int
    tid: int
    vcpu: int
    reason: str | None
    kind: Kind
    access: Access
    size: int
    address: int | None
    rip: int | None
    ns: int | None
    user_ns: int
    wait_ns: int | None = None
    user_wait_ns: int | None = None
    blocked_ns: int | None = None
    user_blocked_ns: int | None = None

    @property
    def took_ns(self) -> int:
        """Its duration as far as known: in total, or in user space."""
        return self.user_ns if self.ns is None else self.ns

    @property
    def waited_ns(self) -> int | None:
        """For how long of that its thread waited for a CPU; None if unknown."""
        return self.user_wait_ns if self.ns is None else self.wait_ns

    @property
    def was_blocked_ns(self) -> int | None:
        """For how long of that it was blocked; None if unknown."""
        return self.user_blocked_ns if self.ns is None else self.blocked_ns


@dataclass(frozen=True)
class Slow:
    """The slow exits of an interval, in the order in which they ended.

    `limited` more were not reported, because their vCPU had reached its limit for that
    second; `dropped` more did not fit the buffer. Both are exact.
    """

    than_ns: int
    exits: tuple[SlowExit, ...] = ()
    limited: int = 0
    dropped: int = 0

    @property
    def count(self) -> int:
        """The number of slow exits, reported or not."""
        return len(self.exits) + self.limited + self.dropped


def joined_slow(parts: Iterable[Slow | None]) -> Slow | None:
    """Return the slow exits of consecutive parts of an interval; None if no part has any."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Slow(
        known[-1].than_ns,
        tuple(chain.from_iterable(part.exits for part in known)),
        limited=sum(part.limited for part in known),
        dropped=sum(part.dropped for part in known),
    )


def slow_exits(
    records: NDArray[Any],
    reasons: Reasons,
    vm_of: Callable[[Identity], str],
    clock_offset_s: float,
    *,
    has_waiting: bool = False,
    has_blocked: bool = False,
) -> tuple[SlowExit, ...]:
    """Return the slow exits of the ring buffer's `records`, of dtype `RECORD`.

    `vm_of` names a process's VM, `clock_offset_s` is unix time minus CLOCK_MONOTONIC. Waiting for
    a CPU, and being blocked, were measured or not.
    """
    ordered = records[np.argsort(records["end_ns"], kind="stable")]
    measured = (
        *(("wait_ns", "user_wait_ns") if has_waiting else ()),
        *(("blocked_ns", "user_blocked_ns") if has_blocked else ()),
    )
    return tuple(
        _slow_exit(slow_exit, reasons, vm_of, clock_offset_s, measured) for slow_exit in ordered
    )


def _slow_exit(
    record: Any,
    reasons: Reasons,
    vm_of: Callable[[Identity], str],
    clock_offset_s: float,
    measured: tuple[str, ...],
) -> SlowExit:
    packed_key, owner = int(record["packed_key"]), int(record["owner"])
    isa = Isa(int(record["isa"]))
    kind = KINDS[packed_key & KIND_MASK]
    known = isa is not Isa.NONE
    return SlowExit(
        end=int(record["end_ns"]) / 1e9 + clock_offset_s,
        vm=vm_of(Identity(owner >> 32, int(record["process_start"]))),
        pid=owner >> 32,
        tid=owner & 0xFFFFFFFF,
        vcpu=int(record["vcpu_id"]),
        reason=reasons.name(isa, packed_key >> REASON_SHIFT),
        kind=kind,
        access=Access(packed_key >> ACCESS_SHIFT & ACCESS_MASK),
        size=packed_key >> SIZE_SHIFT & SIZE_MASK,
        address=int(record["target"]) if kind else None,
        rip=int(record["rip"]) if known else None,
        ns=int(record["ns"]) if known else None,
        user_ns=int(record["user_ns"]),
        **{name: int(record[name]) for name in measured if known or name.startswith("user_")},
    )
