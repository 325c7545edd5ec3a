"""Histograms that keep the buckets in use alone say what the whole matrix says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.histogram import BUCKETS, OVERFLOW, Counts
from bpfexit.model.histograms import Histograms, joined_histograms, no_histograms
from tests.unit.builders import counted, histogram

CELLS = st.tuples(st.integers(0, 5), st.integers(0, BUCKETS - 1))
MATRICES = st.dictionaries(CELLS, st.integers(1, 2**63), max_size=20).map(
    lambda cells: counted(6, cells).dense()
)


def same(found: Histograms, counts: Counts) -> None:
    assert len(found) == len(counts)
    assert found.dense().tolist() == counts.tolist()
    order = [*zip(found.row.tolist(), found.bucket.tolist(), strict=True)]
    assert order == sorted(set(order))
    assert found.count.all()


@given(MATRICES)
def test_they_are_the_matrix(counts: Counts) -> None:
    found = Histograms.of(counts)
    same(found, counts)
    assert found.totals().tolist() == counts.sum(axis=1).tolist()
    highest = [max(np.flatnonzero(line).tolist(), default=-1) for line in counts]
    assert found.highest().tolist() == highest
    assert np.diff(found.starts).tolist() == np.count_nonzero(counts, axis=1).tolist()


@given(MATRICES, st.lists(st.booleans(), min_size=6, max_size=6), st.permutations(range(6)))
def test_they_are_taken_by_mask_and_by_place(
    counts: Counts, chosen: list[bool], places: list[int]
) -> None:
    mask, found = np.array(chosen), Histograms.of(counts)
    same(found.take(mask), counts[mask])
    same(found.take(np.array(places[:4])), counts[places[:4]])
    emptied = counts.copy()
    emptied[mask] = 0
    same(found.without(mask), emptied)


@given(MATRICES, st.integers(0, 6), st.integers(0, 6))
def test_a_part_is_a_slice(counts: Counts, first: int, length: int) -> None:
    end = min(6, first + length)
    same(Histograms.of(counts).part(first, end), counts[first:end])


@given(MATRICES, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_they_are_added_up(counts: Counts, place: list[int]) -> None:
    sums = np.zeros((4, BUCKETS), np.uint64)
    for at, line in zip(place, counts, strict=True):
        sums[at] += line
    same(Histograms.of(counts).summed(np.array(place), 4), sums)


@pytest.mark.parametrize("n", [1, 3, 500])
def test_sums_are_exact_be_they_few_or_many(n: int) -> None:
    random = np.random.default_rng(n)
    row, bucket = random.integers(0, n, 700), random.integers(0, BUCKETS, 700)
    count = random.integers(1, 2**54, 700, dtype=np.uint64)
    counts = np.zeros((n, BUCKETS), np.uint64)
    np.add.at(counts, (row, bucket), count)
    same(Histograms.added_up(n, row, bucket, count), counts)


@given(st.lists(MATRICES, max_size=3))
def test_they_are_joined(matrices: list[Counts]) -> None:
    whole = np.concatenate([np.zeros((0, BUCKETS), np.uint64), *matrices])
    same(joined_histograms([Histograms.of(each) for each in matrices]), whole)
    same(no_histograms(2), np.zeros((2, BUCKETS), np.uint64))


@given(st.lists(st.integers(0, 2**40), max_size=60), st.lists(st.integers(0, 99), max_size=9))
def test_their_buckets_hold_every_sample_once(first: list[int], second: list[int]) -> None:
    both = Histograms.of(np.stack([histogram(first), histogram(second)]))
    largest = np.array([max(first, default=0), max(second, default=0)], np.uint64)
    buckets = both.buckets(largest).tolist()
    assert len(buckets) == len(both.row)
    for at, samples in enumerate((first, second)):
        own = [each for each, row in zip(buckets, both.row, strict=True) if row == at]
        assert sum(count for _, _, count in own) == len(samples)
        for lower, upper, count in own:
            assert count == sum(lower <= ns < upper for ns in samples)


def test_the_last_bucket_ends_above_the_maximum() -> None:
    found = counted(2, {(0, OVERFLOW): 1, (1, OVERFLOW): 2})
    buckets = found.buckets(np.array([2**40, 0], np.uint64)).tolist()
    assert buckets == [[2**36, 2**40 + 1, 1], [2**36, 2**36 + 1, 2]]
