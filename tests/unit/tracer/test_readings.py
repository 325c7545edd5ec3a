"""The parts of an interval make one snapshot, and the next interval begins with nothing."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.tracer.readings import Readings
from tests.unit.builders import SLOW_EXIT, snapshot, snapshots
from tests.unit.tallies import tally


@given(st.lists(snapshots(), min_size=1, max_size=4), snapshots())
def test_an_interval_is_the_sum_of_its_parts(parts: list[Snapshot], later: Snapshot) -> None:
    readings = Readings()
    for part in parts[:-1]:
        readings.add(part)
    interval = readings.ended_by(parts[-1])
    assert tally(interval) == tally(merged(parts))
    assert (interval.start, interval.lost) == (parts[0].start, merged(parts).lost)
    assert readings.ended_by(later) is later


def test_slow_exits_of_all_parts_are_kept() -> None:
    other = replace(SLOW_EXIT, end=1003.0)
    first = replace(snapshot(), slow=Slow(500, (SLOW_EXIT,), limited=1, dropped=2))
    last = replace(snapshot(), slow=Slow(500, (other,), limited=10, dropped=20))
    readings = Readings()
    readings.add(first)
    readings.add(snapshot())
    assert readings.ended_by(last).slow == Slow(500, (SLOW_EXIT, other), limited=11, dropped=22)
    readings.add(snapshot())
    assert readings.ended_by(snapshot()).slow is None
