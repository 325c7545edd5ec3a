"""Blocks rise with the numbers; zero is the lowest alone, and what is not known is blank."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.ui.sparkline import sparkline

RATES = st.lists(st.floats(0, 1e12) | st.just(nan), max_size=50)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([0.0, 0.0], "▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([nan, 5, nan], " █ "),
        ([1e9, 1], "█▂"),
    ],
)
def test_the_blocks(values: list[float], shown: str) -> None:
    assert sparkline(values) == shown


@given(RATES)
def test_blocks_rise_with_the_numbers(values: list[float]) -> None:
    shown = sparkline(values)
    assert len(shown) == len(values)
    known = sorted(
        (value, block) for value, block in zip(values, shown, strict=True) if block > " "
    )
    assert [block for _, block in known] == sorted(block for _, block in known)
    assert all((block == "▁") == (value == 0) for value, block in known)
