"""Families of series as prometheus_client takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.registry import Collector

from bpfexit.exporting.family import Buckets, Family, Metric, Type
from bpfexit.exporting.metrics import METRICS

Families = Callable[[], Iterable[Family]]
"""Returns what has been counted so far; any thread may call it."""


class ExportCollector(Collector):
    """Collects the families at each scrape, without reading the kernel."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterator[ClientMetric]:
        """Yield every family with its series."""
        yield from (_converted(family) for family in self._families())

    def describe(self) -> Iterator[ClientMetric]:
        """Yield every family without series: `name[]=` in a query chooses among these."""
        yield from (_empty(metric) for metric in METRICS)


def registry_of(families: Families) -> CollectorRegistry:
    """Return a registry of these families and of the standard `process_*` ones."""
    registry = CollectorRegistry()
    registry.register(ExportCollector(families))
    ProcessCollector(registry=registry)
    return registry


def _empty(metric: Metric) -> ClientMetric:
    name = metric.name.removesuffix("_total") if metric.type is Type.COUNTER else metric.name
    return ClientMetric(name, metric.help, metric.type.value)


def _converted(family: Family) -> ClientMetric:
    metric = _empty(family.metric)
    for values, number in family.samples:
        labels = dict(zip(family.metric.labels, values, strict=True))
        if isinstance(number, Buckets):
            _add_histogram(metric, labels, number, family.le)
        else:
            metric.add_sample(family.metric.name, labels, number)
    return metric


def _add_histogram(
    metric: ClientMetric, labels: dict[str, str], buckets: Buckets, le: tuple[str, ...]
) -> None:
    below = list(accumulate(buckets.counts))
    for bound, count in zip(le, below, strict=True):
        metric.add_sample(f"{metric.name}_bucket", labels | {"le": bound}, count)
    metric.add_sample(f"{metric.name}_count", labels, below[-1])
    metric.add_sample(f"{metric.name}_sum", labels, buckets.seconds)
