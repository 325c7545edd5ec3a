"""Families of series, as any exposition format starts from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Type(StrEnum):
    """What Prometheus may do with the numbers of a family."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """A family without its series; `labels` are the names of their labels."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()


class Buckets(NamedTuple):
    """A classic histogram: the counts of each bucket, not cumulative, and the sum of all, s."""

    counts: tuple[int, ...]
    seconds: float


Value = int | float | Buckets
Sample = tuple[tuple[str, ...], Value]
"""The values of the labels, and that of the series."""


@dataclass(frozen=True)
class Family:
    """A metric with its series; `le` has the upper bounds of a histogram's buckets."""

    metric: Metric
    samples: tuple[Sample, ...]
    le: tuple[str, ...] = ()
