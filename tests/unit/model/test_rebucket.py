"""Histograms add, subtract and coarsen without losing or guessing a count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.histogram import BUCKETS, LOWER_NS, POWERS_OF_TWO_NS, Counts, rebucketed
from tests.unit.builders import histogram

SAMPLES = st.lists(st.integers(0, 2**12) | st.integers(0, 2**38), max_size=60)
EDGES = st.sets(st.integers(1, BUCKETS - 1)).map(lambda at: LOWER_NS[sorted({0, *at})])


def between(samples: list[int], edges: list[int]) -> list[int]:
    """Count the samples from each edge on up to the next, in plain Python."""
    upper = [*edges[1:], 2**64]
    return [sum(low <= ns < up for ns in samples) for low, up in zip(edges, upper, strict=True)]


@given(SAMPLES, EDGES)
def test_coarser_buckets_hold_the_samples_between_their_edges(
    samples: list[int], edges: Counts
) -> None:
    assert rebucketed(histogram(samples), edges).tolist() == between(samples, edges.tolist())


@given(SAMPLES, SAMPLES, SAMPLES)
def test_merging_is_counting_all_samples_in_any_order(
    a: list[int], b: list[int], c: list[int]
) -> None:
    first, second, third = histogram(a), histogram(b), histogram(c)
    whole = histogram([*a, *b, *c])
    assert np.array_equal((first + second) + third, whole)
    assert np.array_equal(first + (second + third), whole)


@given(SAMPLES, SAMPLES)
def test_subtracting_undoes_merging(a: list[int], b: list[int]) -> None:
    assert np.array_equal(histogram([*a, *b]) - histogram(b), histogram(a))


@given(SAMPLES, SAMPLES, EDGES)
def test_coarsening_goes_with_merging_and_subtracting(
    a: list[int], b: list[int], edges: Counts
) -> None:
    one, two = histogram(a), histogram(b)
    merged = rebucketed(one + two, edges)
    assert np.array_equal(merged, rebucketed(one, edges) + rebucketed(two, edges))
    assert np.array_equal(merged - rebucketed(two, edges), rebucketed(one, edges))


def test_many_histograms_are_coarsened_at_once() -> None:
    several = np.stack([histogram([1, 20]), histogram([2**37])])
    coarse = rebucketed(several, POWERS_OF_TWO_NS)
    assert coarse.shape == (2, len(POWERS_OF_TWO_NS))
    assert coarse.sum(axis=1).tolist() == [2, 1]


def test_the_powers_of_two_are_edges_of_the_histogram() -> None:
    assert POWERS_OF_TWO_NS.tolist() == [0, *(1 << shift for shift in range(4, 37))]
    assert np.isin(POWERS_OF_TWO_NS, LOWER_NS).all()


@pytest.mark.parametrize(
    ("edges", "why"),
    [
        ([], "rise from 0"),
        ([16], "rise from 0"),
        ([0, 32, 32], "rise from 0"),
        ([0, 64, 32], "rise from 0"),
        ([0, 17], "split a bucket"),
    ],
)
def test_edges_that_would_guess_are_refused(edges: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rebucketed(histogram([1]), np.array(edges, np.uint64))
