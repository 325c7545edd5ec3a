"""OpenMetrics, read by the parser of prometheus_client."""

import subprocess
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from prometheus_client import Metric

from bpfexit.formats.hist.openmetrics import NAME, encode
from bpfexit.model.distribution import Distribution
from bpfexit.model.text import printable
from tests.openmetrics import only_family
from tests.unit.formats.distributed import SAMPLES, any_distributions, of, whole


def values(metric: Metric, suffix: str) -> list[float]:
    return [sample.value for sample in metric.samples if sample.name == NAME + suffix]


@given(any_distributions())
def test_the_parser_finds_every_exit(found: list[Distribution]) -> None:
    metric = only_family(whole(encode(found)))
    assert (metric.name, metric.type, metric.unit) == (NAME, "histogram", "seconds")
    assert values(metric, "_count") == [each.count for each in found]
    assert values(metric, "_sum") == [each.total_ns / 1e9 for each in found]
    ends = [sample for sample in metric.samples if sample.labels.get("le") == "+Inf"]
    assert [sample.value for sample in ends] == [each.count for each in found]


@given(SAMPLES)
def test_a_bucket_holds_what_is_not_above_its_inclusive_bound(samples: list[int]) -> None:
    for coarse in (False, True):
        for sample in only_family(whole(encode([of(samples, coarse=coarse)]))).samples:
            if "le" in sample.labels:
                bound = Decimal(sample.labels["le"])
                assert sample.value == sum(Decimal(ns) / 10**9 <= bound for ns in samples)


@pytest.mark.parametrize("coarse", [False, True])
def test_a_latency_on_an_edge_is_above_it(coarse: bool) -> None:
    metric = only_family(whole(encode([of([1023, 1024], coarse=coarse)])))
    counts = {sample.labels.get("le"): sample.value for sample in metric.samples}
    assert counts["1.023e-06"] == 1
    assert counts["2.047e-06"] == 2


def test_bounds_are_whole_nanoseconds_and_rise() -> None:
    metric = only_family(whole(encode([of([5])])))
    bounds = [sample.labels["le"] for sample in metric.samples if "le" in sample.labels]
    assert [Fraction(each) * 10**9 % 1 for each in bounds[:-1]] == [0] * (len(bounds) - 1)
    assert all(float(a) < float(b) for a, b in pairwise(bounds))


@pytest.mark.parametrize("vm", ['a"b', "a\\", "a\nb", 'x"} 1\n# EOF', "\ud800", "\x1b[2J", "ä{,}"])
def test_a_hostile_name_is_a_label_and_nothing_else(vm: str) -> None:
    text = whole(encode([of([5], vm=vm)]))
    text.encode()
    assert {sample.labels["vm"] for sample in only_family(text).samples} == {printable(vm)}


def test_without_a_histogram_there_is_still_an_end() -> None:
    assert only_family(whole(encode([]))).samples == []
    assert whole(encode([])).endswith("# EOF\n")


def test_promtool_has_no_complaint(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=whole(encode([of([5])])), text=True, check=False
    )
    assert done.returncode == 0
