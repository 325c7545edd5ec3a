"""Counts of KVM's events by VM: two readings of counters make an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Source(StrEnum):
    """The source of a count."""

    COUNTER = "counter"  # KVM's own, in debugfs: only grows
    GAUGE = "gauge"  # KVM's own, in debugfs: a state, such as the pages mapped now
    TRACEPOINT = "tracepoint"


@dataclass(frozen=True, order=True)
class Owner:
    """The owner of events: a guest's process, or another one in which they fired.

    `vm` is KVM's name of the VM (`TID-FD`), empty for tracepoints. `pid` is 0 if the process of a
    VM is unknown.
    """

    name: str
    pid: int
    is_guest: bool = True
    vm: str = ""


@dataclass(frozen=True, order=True)
class Key:
    """One counter."""

    owner: Owner
    source: Source
    event: str


@dataclass(frozen=True)
class Reading:
    """The counters at one moment, ns of CLOCK_MONOTONIC; `lost` counts events in no counter."""

    taken_ns: int
    values: Mapping[Key, int]
    lost: int = 0


@dataclass(frozen=True)
class EventCount:
    """One counter in an interval.

    `count` is what it grew by; None for a gauge. `total` is its value at the end of the
    interval; None for a tracepoint, which is counted since bpfexit started.
    """

    key: Key
    count: int | None
    total: int | None


@dataclass(frozen=True)
class EventInterval:
    """All counters in one interval; `start` is unix time, s."""

    start: float
    duration_s: float
    counts: tuple[EventCount, ...]
    lost: int = 0
    notices: tuple[str, ...] = field(default=())

    def per_s(self, count: EventCount) -> float | None:
        """Return a rate; None for a gauge, and for an interval without length."""
        if count.count is None or not self.duration_s:
            return None
        return count.count / self.duration_s


def interval_between(
    before: Reading, after: Reading, start: float, notices: tuple[str, ...] = ()
) -> EventInterval:
    """Return what happened between two readings.

    A counter that was not there before began in between, at 0. One that is smaller than before
    was cleared in between: it counts from 0 as well.
    """
    return EventInterval(
        start,
        (after.taken_ns - before.taken_ns) / 1e9,
        tuple(_count(key, before.values, after.values[key]) for key in sorted(after.values)),
        after.lost - before.lost,
        notices,
    )


def _count(key: Key, before: Mapping[Key, int], value: int) -> EventCount:
    if key.source is Source.GAUGE:
        return EventCount(key, None, value)
    earlier = before.get(key, 0)
    grown = value - earlier if value >= earlier else value
    return EventCount(key, grown, None if key.source is Source.TRACEPOINT else value)
