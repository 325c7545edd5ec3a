"""The number columns of a view, each defined once: tables, `--sort`, JSON and CSV read them here.

`measures()` of `model.grouping` computes the numbers, by key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bpfexit.model import numbers


@dataclass(frozen=True)
class Column:
    """One number of a line.

    `title` heads the column, `unit` is that of the raw number, `write` returns it as
    text (blank for nan, which means unknown), `json_name` is its field in JSON and
    CSV, and `help` explains it in one line. A table shows the column from a screen
    width of `min_width` on.
    """

    key: str
    title: str
    unit: str
    write: Callable[[float], str]
    json_name: str
    help: str
    min_width: int = 0


def _user_share(part: float) -> str:
    """Leave out a share of 0: most reasons never go to user space."""
    return numbers.share(part) if part else ""


COLUMNS: tuple[Column, ...] = (
    Column(
        "count",
        "count",
        "exits",
        numbers.count,
        "count",
        "exits; accesses on hosts whose KVM lacks kvm_exit",
        min_width=96,
    ),
    Column("rate", "per s", "exits/s", numbers.rate, "per_s", "exits per second"),
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
    Column("p50", "p50", "ns", numbers.duration, "p50_ns", "median latency", min_width=88),
    Column("p99", "p99", "ns", numbers.duration, "p99_ns", "99th percentile of the latency"),
    Column("max", "max", "ns", numbers.duration, "max_ns", "longest latency", min_width=96),
    Column(
        "user",
        "user%",
        "share",
        _user_share,
        "user",
        "share of the exits that went to user space (QEMU)",
    ),
    Column(
        "user_mean",
        "in user",
        "ns",
        numbers.duration,
        "user_mean_ns",
        "mean time in user space of the exits that went there",
    ),
)

BY_KEY: dict[str, Column] = {column.key: column for column in COLUMNS}

SORT_KEYS: tuple[str, ...] = ("name", *BY_KEY)
"""The keys for sorting lines: their names, or a column."""


def sort_key(text: str) -> str | None:
    """Return the key for a key or a heading; None for any other text."""
    wanted = text.strip().lower()
    if wanted in SORT_KEYS:
        return wanted
    return next((column.key for column in COLUMNS if column.title == wanted), None)
