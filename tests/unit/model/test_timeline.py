"""A timeline keeps every exit, in bins that grow with the recording."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import about
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.timeline import BINS, Timeline
from bpfexit.model.view import Query, view
from tests.unit.builders import Exits, pio, snapshot

BY_REASON = Query(("reason",))


def second(at: float, exits: int, lasts: float = 1.0) -> Snapshot:
    return snapshot(Exits("CPUID", no_latency=exits), start=1000.0 + at, duration_s=lasts)


def line_of(of: list[Snapshot]) -> GroupKey:
    return places(of, BY_REASON)[0]


def places(of: list[Snapshot], query: Query) -> list[GroupKey]:
    return [about(line) for line in view(merged(of), query).lines]


def made(of: list[Snapshot]) -> Timeline:
    timeline = Timeline(BY_REASON)
    for each in of:
        timeline.add(each)
    return timeline


def test_a_column_an_interval_has_its_rate() -> None:
    of = [second(n, n + 1) for n in range(6)]
    assert made(of).rates(line_of(of), 6) == pytest.approx([1, 2, 3, 4, 5, 6])
    assert made(of).rates(line_of(of), 3) == pytest.approx([1.5, 3.5, 5.5])


def test_where_nobody_looked_nothing_is_known() -> None:
    of = [second(0, 4), second(3, 2)]
    assert made(of).rates(line_of(of), 4) == pytest.approx([4, np.nan, np.nan, 2], nan_ok=True)


def test_a_line_that_was_not_there_took_none() -> None:
    other = line_of([snapshot(pio(7, ns=(1,)))])
    assert made([second(0, 4)]).rates(other, 2).tolist() == [0, 0]
    assert np.isnan(Timeline(BY_REASON).rates(other, 2)).all()


def test_an_address_in_two_guests_is_two_lines() -> None:
    of = [
        snapshot(
            pio(0x608, no_latency=3, vm="alpha", pid=100, tid=101),
            pio(0x608, no_latency=5, vm="beta", pid=200, tid=201),
        )
    ]
    query = Query(("vm", "port"))
    timeline = Timeline(query)
    timeline.add(of[0])
    found = {
        (place.vm, place.depth): timeline.rates(place, 1).tolist() for place in places(of, query)
    }
    assert found == {("alpha", 0): [3], ("alpha", 1): [3], ("beta", 0): [5], ("beta", 1): [5]}


def test_a_line_counts_also_where_others_were_before_it() -> None:
    of = [
        snapshot(Exits("CPUID", no_latency=2), Exits("HLT", no_latency=each), start=1000.0 + n)
        for n, each in enumerate((1, 9))
    ]
    query = Query(("reason",), sort="count", limit=1)
    timeline = Timeline(query)
    for each in of:
        timeline.add(each)
    assert timeline.rates(places(of, query)[0], 2).tolist() == [1, 9]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(1e-9, 1e4)), min_size=1, max_size=30),
    st.integers(1, 200),
)
def test_no_exit_is_lost_however_long_it_gets(
    intervals: list[tuple[int, float]], columns: int
) -> None:
    of, at = [], 0.0
    for exits, lasts in intervals:
        of.append(second(at, exits, lasts))
        at = of[-1].start + lasts - 1000.0
    timeline = made(of)
    rates = timeline.rates(line_of(of), columns)
    assert len(rates) == columns
    if min(lasts for _, lasts in intervals) > 1e-3:  # below, `start` has too few digits
        seen = np.nansum(rates) * timeline.length_s / columns
        assert seen == pytest.approx(sum(exits for exits, _ in intervals), rel=1e-3)


def test_a_clock_set_back_is_no_error() -> None:
    of = [second(5, 1), second(0, 1), second(1e11, 1), second(3, 1, 0.0)]
    assert len(made(of).rates(line_of(of), BINS)) == BINS
