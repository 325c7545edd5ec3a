"""The number columns of a view, each defined once: tables, `--sort`, JSON and CSV read them here.

`measures()` of `model.grouping` computes the numbers, by key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bpfexit.model import numbers
from bpfexit.model.column import Column
from bpfexit.model.guest_columns import TIME_COLUMNS, USAGE_COLUMNS

_WIDE, _EXTRA = 200, 240
"""Screen widths for the columns that few look for; on narrower ones, `--sort` shows one of them."""

COLUMNS: tuple[Column, ...] = (
    Column(
        "count",
        "count",
        "exits",
        numbers.count,
        "count",
        "exits; accesses on hosts whose KVM lacks kvm_exit",
        min_width=96,
        width=11,
    ),
    Column("rate", "per s", "exits/s", numbers.rate, "per_s", "exits per second", width=7),
    Column(
        "time",
        "time%",
        "share",
        numbers.share,
        "time",
        "share of the time that all guests spent in exits, HLT excluded",
    ),
    Column(
        "mean",
        "mean",
        "ns",
        numbers.duration,
        "mean_ns",
        "mean latency, from kvm_exit to kvm_entry",
    ),
    Column("p50", "p50", "ns", numbers.duration, "p50_ns", "median latency", min_width=78),
    Column(
        "p90",
        "p90",
        "ns",
        numbers.duration,
        "p90_ns",
        "90th percentile of the latency",
        min_width=_WIDE,
    ),
    Column("p99", "p99", "ns", numbers.duration, "p99_ns", "99th percentile of the latency"),
    Column(
        "p999",
        "p99.9",
        "ns",
        numbers.duration,
        "p999_ns",
        "99.9th percentile of the latency",
        min_width=_WIDE,
    ),
    Column("max", "max", "ns", numbers.duration, "max_ns", "longest latency", min_width=96),
    Column(
        "wait",
        "wait%",
        "share",
        numbers.share_if_any,
        "wait",
        "share of that time in which the vCPU's thread waited for a CPU",
        min_width=104,
    ),
    Column(
        "wait_mean",
        "waiting",
        "ns",
        numbers.duration,
        "wait_mean_ns",
        "mean time per exit in which the vCPU's thread waited for a CPU",
        min_width=160,
    ),
    Column(
        "blocked",
        "blocked%",
        "share",
        numbers.share_if_any,
        "blocked",
        "share of that time in which the vCPU's thread was blocked: lock, page fault, disk"
        " (--blocked)",
        min_width=92,
    ),
    Column(
        "blocked_mean",
        "blocking",
        "ns",
        numbers.duration,
        "blocked_mean_ns",
        "mean time per exit in which the vCPU's thread was blocked (--blocked)",
        min_width=160,
    ),
    Column(
        "polled",
        "poll%",
        "share",
        numbers.share_if_any,
        "polled_cores",
        "time in which KVM polled for the end of halts, as a share of a core (--by halt)",
    ),
    Column(
        "poll_mean",
        "polling",
        "ns",
        numbers.duration,
        "poll_mean_ns",
        "mean time per halt in which KVM polled for its end (--by halt)",
        min_width=160,
    ),
    Column(
        "user",
        "user%",
        "share",
        numbers.share_if_any,
        "user",
        "share of the exits that went to user space (QEMU)",
    ),
    Column(
        "user_wait",
        "user wait%",
        "share",
        numbers.share_if_any,
        "user_wait",
        "share of the time in user space in which the vCPU's thread waited for a CPU",
        min_width=128,
    ),
    Column(
        "user_blocked",
        "user blocked%",
        "share",
        numbers.share_if_any,
        "user_blocked",
        "share of the time in user space in which the vCPU's thread was blocked (--blocked)",
        min_width=92,
    ),
    Column(
        "user_cpu",
        "user CPU%",
        "share",
        numbers.share_if_any,
        "user_cpu",
        "share of the time in user space in which it was on a CPU: the rest (--blocked)",
        min_width=120,
    ),
    Column(
        "user_mean",
        "in user",
        "ns",
        numbers.duration,
        "user_mean_ns",
        "mean time in user space of the exits that went there",
    ),
    Column(
        "samples",
        "count%",
        "share",
        numbers.share,
        "count_share",
        "share of all exits",
        min_width=_WIDE,
    ),
    Column(
        "min",
        "min≥",
        "ns",
        numbers.duration,
        "min_ns",
        "shortest latency, rounded down to the lower edge of its bucket",
        min_width=_WIDE,
    ),
    Column(
        "stddev",
        "stddev~",
        "ns",
        numbers.duration,
        "stddev_ns",
        "standard deviation of the latency, estimated from the buckets",
        min_width=_WIDE,
    ),
    Column(
        "error",
        "±%",
        "share",
        numbers.small_share,
        "mean_error",
        "standard error of the mean as a share of it, from that estimate",
        min_width=_EXTRA,
    ),
)

_OTHERS_FROM = 80
"""Columns by which the screen is wider where guests and vCPUs have the other columns, too."""


def columns_of(by: tuple[str, ...]) -> tuple[Column, ...]:
    """Return the columns of lines that are grouped by these dimensions."""
    if not is_by_vcpu_time(by):
        return COLUMNS
    first = [BY_KEY["polled"], BY_KEY["rate"]]
    others = [column for column in COLUMNS if column not in first]
    wider = [replace(each, min_width=max(each.min_width, 80) + _OTHERS_FROM) for each in others]
    usage = USAGE_COLUMNS if by == ("vm",) else ()
    times = TIME_COLUMNS if {*by} <= {*_WITH_TIME} else _times_beside_addresses()
    return (*times, *first, *usage, *wider)


def _times_beside_addresses() -> Iterator[Column]:
    """Yield the same columns; what `away` sums up leaves its place to the addresses."""
    for column in TIME_COLUMNS:
        parts = column.key in ("in_kvm", "in_user", "steal")
        yield replace(column, min_width=_OTHERS_FROM + 24) if parts else column


def columns_at(by: tuple[str, ...], sort: str, width: int) -> tuple[Column, ...]:
    """Return those that a screen of this width is for, and the one that sorts the lines."""
    return tuple(each for each in columns_of(by) if width >= each.min_width or each.key == sort)


_OF_EXITS = (
    *("time", "mean", "p50", "p90", "p99", "p999", "max", "wait", "wait_mean"),
    *("min", "stddev", "error", "blocked", "blocked_mean"),
    *("in_guest", "away", "in_kvm", "steal", "idle"),
)
_OF_WAITING = ("wait", "wait_mean", "user_wait", "steal")
_OF_BLOCKED = ("blocked", "blocked_mean", "user_blocked", "user_cpu")
_OF_POLLING = ("polled", "poll_mean")
ON_REQUEST = dict.fromkeys(_OF_BLOCKED, "--blocked") | dict.fromkeys(_OF_POLLING, "--by halt")
"""The option that measures each column of what is measured on request only.

A table without their numbers lacks them.
"""


def never_known(
    *,
    has_exit_events: bool,
    has_waiting: bool,
    has_blocked: bool = False,
    has_polling: bool = False,
    has_usage: bool = True,
) -> frozenset[str]:
    """Return the columns that are blank on every line of a host."""
    unknown = (
        () if has_exit_events else _OF_EXITS,
        () if has_waiting else _OF_WAITING,
        () if has_blocked else _OF_BLOCKED,
        () if has_polling else _OF_POLLING,
        () if has_usage else tuple(column.key for column in USAGE_COLUMNS),
    )
    return frozenset(key for keys in unknown for key in keys)


def is_by_vcpu_time(by: tuple[str, ...]) -> bool:
    """Whether lines are about guests or vCPUs alone, so that each has time of its own.

    Below them may be their halts, which are a part of that.
    """
    return not {*by}.isdisjoint(_WITH_TIME) and {*by} <= {*_WITH_TIME, "halt"}


_WITH_TIME = ("vm", "vcpu")


ALL_COLUMNS: tuple[Column, ...] = (*COLUMNS, *TIME_COLUMNS, *USAGE_COLUMNS)

BY_KEY: dict[str, Column] = {column.key: column for column in ALL_COLUMNS}

SORT_KEYS: tuple[str, ...] = ("name", *BY_KEY)
"""The keys for sorting lines: their names, or a column."""


def sort_key(text: str) -> str | None:
    """Return the key for a key or a heading; None for any other text."""
    wanted = text.strip().lower()
    if wanted in SORT_KEYS:
        return wanted
    return next((key for key, column in BY_KEY.items() if column.title.lower() == wanted), None)
