"""A redraw and a moved selection are few bytes: a line of 2.5 kB/s shows them within seconds."""

import statistics

import pytest

from tests.bench import screen as bench


@pytest.mark.parametrize(("columns", "most"), [(bench.NUMBERS, 2000), ("", 4000)])
def test_many_guests_with_every_number_changing(columns: str, most: int) -> None:
    screen = bench._screen(columns)
    sizes, _ = bench._redraws(screen, [bench._changed(second) for second in range(12)])
    assert statistics.mean(sizes[1:]) < most
    assert max(bench._pressed(screen, key) for key in ["down"] * 9 + ["up"] * 9) < 400
