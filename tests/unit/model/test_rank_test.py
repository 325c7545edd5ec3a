"""The rank test, held to its definition, to textbook numbers and to chance."""

from itertools import combinations, product
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.rank_test import ALPHA, FEWEST, Verdict, rank_sum, verdict
from tests.unit.builders import histogram

BINS = st.lists(st.integers(0, 9), min_size=1, max_size=30)


def compared(before: list[int], after: list[int]) -> tuple[float, float]:
    """Compare values that are places of buckets."""
    sides = [histogram([int(LOWER_NS[place]) for place in side])[None] for side in (before, after)]
    larger, p = rank_sum(*sides)
    return float(larger[0]), float(p[0])


def wins(before: list[int], after: list[int]) -> float:
    """Return U by its definition: pairs in which the value after is larger, ties half."""
    return sum((a > b) + (a == b) / 2 for b, a in product(before, after))


@given(BINS, BINS)
def test_the_probability_is_the_share_of_pairs(before: list[int], after: list[int]) -> None:
    larger, p = compared(before, after)
    assert larger == pytest.approx(wins(before, after) / (len(before) * len(after)))
    assert 0 <= p <= 1


@given(BINS, BINS)
def test_swapping_the_sides_turns_the_effect_and_keeps_p(
    before: list[int], after: list[int]
) -> None:
    there, back = compared(before, after), compared(after, before)
    assert there[0] == pytest.approx(1 - back[0])
    assert there[1] == pytest.approx(back[1])


def exact_p(before: list[int], after: list[int]) -> float:
    """Return the two-sided p-value over every way to choose which values are those before."""
    values = sorted(before + after)
    rank = {each: values.index(each) + (values.count(each) + 1) / 2 for each in values}
    middle = len(before) * (len(values) + 1) / 2
    seen = abs(sum(rank[each] for each in before) - middle)
    ways = list(combinations([rank[each] for each in values], len(before)))
    return sum(abs(sum(way) - middle) >= seen - 1e-9 for way in ways) / len(ways)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], [4, 5, 6, 7, 8, 9, 10, 11]),
        ([1, 1, 2, 2, 3, 3, 5, 6], [1, 2, 2, 3, 3, 4, 4, 5]),
        ([5, 5, 5, 6, 6, 7, 8, 9], [1, 2, 3, 5, 5, 5, 6, 6]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 16]),
    ],
)
def test_p_is_near_the_exact_one(before: list[int], after: list[int]) -> None:
    assert compared(before, after)[1] == pytest.approx(exact_p(before, after), abs=0.03)


def test_all_in_one_bucket_is_no_difference() -> None:
    assert compared([3] * 50, [3] * 70) == (0.5, 1.0)


def test_an_empty_side_tells_nothing() -> None:
    larger, p = compared([], [1, 2])
    assert isnan(larger)
    assert isnan(p)


def test_huge_counts_do_not_overflow() -> None:
    hist = np.zeros((1, len(LOWER_NS)), np.uint64)
    hist[0, 40:44] = 2**61
    larger, p = rank_sum(hist, hist)
    assert larger[0] == pytest.approx(0.5)
    assert p[0] == pytest.approx(1)


def test_false_alarms_are_as_frequent_as_p_says() -> None:
    """The normal approximation, ties included, on 4000 pairs of samples of one distribution."""
    random = np.random.default_rng(20230611)
    weights = random.dirichlet(np.ones(12))
    before = random.multinomial(60, weights, 4000).astype(np.uint64)
    after = random.multinomial(90, weights, 4000).astype(np.uint64)
    pad = ((0, 0), (0, len(LOWER_NS) - 12))
    _, p = rank_sum(np.pad(before, pad), np.pad(after, pad))
    for level in (0.2, 0.05, 0.01):
        alarms = (p < level).mean()
        assert alarms == pytest.approx(level, abs=4 * (level / 4000) ** 0.5)


@pytest.mark.parametrize(
    ("timed", "larger", "p", "ratio", "tests", "expected"),
    [
        ((0, 50), float("nan"), float("nan"), float("nan"), 1, Verdict.UNKNOWN),
        ((FEWEST - 1, 500), 1.0, 0.0, 9.0, 1, Verdict.TOO_FEW),
        ((50, 50), 0.9, 0.0, 2.0, 1, Verdict.SLOWER),
        ((50, 50), 0.1, 0.0, 0.5, 1, Verdict.FASTER),
        ((50, 50), 0.55, 0.0, 2.0, 1, Verdict.NOISE),  # a million exits, and hardly an effect
        ((50, 50), 0.9, 0.0, 1.05, 1, Verdict.NOISE),  # across the edge of a bucket
        ((50, 50), 0.9, 0.0, 0.5, 1, Verdict.NOISE),  # the mean says the opposite
        ((50, 50), 0.9, ALPHA / 2, 2.0, 1, Verdict.SLOWER),
        ((50, 50), 0.9, ALPHA / 2, 2.0, 3, Verdict.NOISE),  # one of three comparisons
    ],
)
def test_a_change_is_real_when_chance_effect_and_means_agree(
    timed: tuple[int, int], larger: float, p: float, ratio: float, tests: int, expected: Verdict
) -> None:
    assert verdict(timed, larger, p, ratio, tests) is expected
