"""The edges are those of the programs, and quantiles keep the error bound they state."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.histogram import (
    BUCKETS,
    LOWER_NS,
    OVERFLOW,
    TOP_SHIFT,
    UNIT_SHIFT,
    bucket_of,
    quantiles,
)
from tests.unit import wire
from tests.unit.builders import histogram

EDGES = [int(edge) for edge in LOWER_NS]
TOP_NS = 1 << TOP_SHIFT
SAMPLES = st.lists(st.integers(0, 2**12) | st.integers(0, 2**38), min_size=1, max_size=60)


def c_bucket(ns: int) -> int:
    """`count_in_histogram` of rows.h, statement by statement."""
    if ns >> wire.defines()["HIST_TOP_SHIFT"]:
        return wire.defines()["HIST_OVERFLOW"]
    top, shift = ns >> wire.defines()["HIST_UNIT_SHIFT"], 0
    for bits in (16, 8, 4, 2, 1):
        if top >= 4 << bits:
            top >>= bits
            shift += bits
    return (shift << 2) + top


def one(ns: int) -> int:
    return int(bucket_of(np.array([ns], np.uint64))[0])


def test_the_constants_are_those_of_the_programs() -> None:
    known = wire.defines()
    assert known["HIST_UNIT_SHIFT"] == UNIT_SHIFT
    assert known["HIST_TOP_SHIFT"] == TOP_SHIFT
    assert known["HIST_OVERFLOW"] == OVERFLOW
    assert known["HIST_SIZE"] >= BUCKETS == len(LOWER_NS)


def test_the_buckets_tile_all_latencies() -> None:
    assert EDGES[0] == 0
    assert EDGES[-1] == TOP_NS
    assert all(lower < upper for lower, upper in pairwise(EDGES))


def test_a_bucket_is_16_ns_or_at_most_a_quarter_of_its_lower_edge_wide() -> None:
    for lower, upper in pairwise(EDGES):
        assert (upper - lower) == (16 if lower < 64 else 1 << (lower.bit_length() - 3))
        assert lower < 64 or 4 * (upper - lower) <= lower


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_python_and_c_agree_at_every_edge(off: int) -> None:
    near = [edge + off for edge in EDGES if edge + off >= 0]
    assert [one(ns) for ns in near] == [c_bucket(ns) for ns in near]


@given(st.integers(0, 2**64 - 1) | st.integers(0, 2**37) | st.integers(0, 2**10))
def test_python_and_c_agree(ns: int) -> None:
    assert one(ns) == c_bucket(ns)


@given(st.integers(0, 2**64 - 1))
def test_a_latency_lies_between_the_edges_of_its_bucket(ns: int) -> None:
    at = one(ns)
    assert EDGES[at] <= ns
    assert at == OVERFLOW or ns < EDGES[at + 1]


@given(SAMPLES, st.sampled_from([0.5, 0.9, 0.99, 1.0]) | st.floats(0, 1))
def test_a_quantile_is_in_the_bucket_of_the_exact_one(samples: list[int], q: float) -> None:
    exact = sorted(samples)[max(int(np.ceil(q * len(samples))), 1) - 1]
    found = quantile(samples, q)
    assert one(int(found)) == one(exact)
    assert found <= max(samples)
    if exact < 64:
        assert abs(found - exact) < 16
    elif exact < TOP_NS:
        assert abs(found - exact) < exact / 4


@given(SAMPLES, st.sampled_from([0.5, 0.99]))
def test_the_shown_quantiles_agree_with_numpy(samples: list[int], q: float) -> None:
    exact = float(np.quantile(np.array(samples), q, method="inverted_cdf"))
    assert one(int(quantile(samples, q))) == one(int(exact))


@given(SAMPLES)
def test_a_larger_share_has_no_smaller_quantile(samples: list[int]) -> None:
    found = [quantile(samples, q) for q in (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)]
    assert found == sorted(found)


def quantile(samples: list[int], q: float) -> float:
    counts = histogram(samples)[None]
    return float(quantiles(counts, (q,), np.array([max(samples)], np.uint64))[0, 0])


def test_a_bucket_in_the_middle_is_read_as_evenly_filled() -> None:
    assert quantile([64, 65, 66, 67, 2000], 0.4) == pytest.approx(64 + 16 * 1.5 / 4)


def test_an_empty_histogram_has_no_quantile_and_spoils_no_other() -> None:
    counts = np.stack([histogram([]), histogram([100])])
    found = quantiles(counts, (0.5, 0.99), np.array([0, 100], np.uint64))
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1].tolist() == [100, 100]
    assert quantiles(counts[:0], (0.5, 0.99), np.zeros(0, np.uint64)).shape == (2, 0)


def test_beyond_the_last_edge_a_quantile_lies_between_it_and_the_maximum() -> None:
    samples = [TOP_NS, 2 * TOP_NS, 3 * TOP_NS]
    assert histogram(samples)[OVERFLOW] == 3
    assert TOP_NS <= quantile(samples, 0.5) <= quantile(samples, 0.99) <= 3 * TOP_NS


def test_one_sample_is_its_own_quantile_at_most() -> None:
    assert quantile([17], 0.99) == 17
    assert quantile([0], 0.5) == 0
