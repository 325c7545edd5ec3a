"""Three digits and a unit, right at every boundary; blank for what is not known."""

import re
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model import numbers

UNITS = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"),
        (0.4, "0ns"),
        (1, "1ns"),
        (850.4, "850ns"),
        (999, "999ns"),
        (999.4, "999ns"),
        (999.6, "1.00µs"),
        (1000, "1.00µs"),
        (1234, "1.23µs"),
        (9994, "9.99µs"),
        (9996, "10.0µs"),
        (12_340, "12.3µs"),
        (99_940, "99.9µs"),
        (99_960, "100µs"),
        (999_400, "999µs"),
        (999_500, "1.00ms"),
        (999_950, "1.00ms"),
        (12_400_000, "12.4ms"),
        (999_949_999, "1.00s"),
        (1e9, "1.00s"),
        (69e9, "69.0s"),
        (1e13, "10000s"),
        (nan, ""),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert numbers.duration(ns) == text


def read(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(ns|µs|ms|s)", text)
    assert found
    return float(found[1]) * UNITS[found[2]]


@given(st.floats(0, 9.9e11))
def test_a_duration_is_right_to_three_digits(ns: float) -> None:
    assert abs(read(numbers.duration(ns)) - ns) <= max(0.5, ns * 0.00501)


@given(st.floats(1000, 9.9e11))
def test_a_duration_has_three_digits(ns: float) -> None:
    assert len(re.sub(r"\D", "", numbers.duration(ns))) == 3


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_longer_duration_never_reads_as_shorter(a: float, b: float) -> None:
    shorter, longer = sorted([a, b])
    assert read(numbers.duration(shorter)) <= read(numbers.duration(longer)) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0.0"), (1, "100.0"), (0.1234, "12.3"), (0.0004, "0.0"), (nan, "")]
)
def test_shares(part: float, text: str) -> None:
    assert numbers.share(part) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0.00"), (0.00031, "0.03"), (0.0099, "0.99"), (0.00996, "1.0"), (0.5, "50.0"), (nan, "")],
)
def test_small_shares(part: float, text: str) -> None:
    assert numbers.small_share(part) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (0, "0.0"),
        (0.25, "0.2"),
        (99.94, "99.9"),
        (99.96, "100"),
        (1234567.8, "1,234,568"),
        (nan, ""),
    ],
)
def test_rates(per_second: float, text: str) -> None:
    assert numbers.rate(per_second) == text


def test_counts_are_whole() -> None:
    assert numbers.count(1234567.0) == "1,234,567"
    assert numbers.count(0) == "0"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.00KiB"),
        (64 << 20, "64.0MiB"),
        (4 << 30, "4.00GiB"),
        (768 << 30, "768GiB"),
        (3 << 39, "1.50TiB"),
    ],
)
def test_memory_is_in_powers_of_1024(size: int, text: str) -> None:
    assert numbers.memory(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59.99, "0:00:59"),
        (3600, "1:00:00"),
        (86399, "23:59:59"),
        (86400, "1d 00:00:00"),
        (273_909, "3d 04:05:09"),
    ],
)
def test_elapsed_time_has_days_from_the_first_on(seconds: float, text: str) -> None:
    assert numbers.elapsed(seconds) == text
