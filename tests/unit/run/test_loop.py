"""Intervals are counted, end on time, and the last one is read when the source has stopped."""

import io
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bpfexit.formats.json.snapshot_reader import decode
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query
from bpfexit.run import loop
from bpfexit.run.loop import Run, intervals
from bpfexit.run.signals import Interrupts
from bpfexit.ui.batch import show_json, show_tables
from tests.unit.run.fake_source import FakeSource

INTERVAL = 0.001


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    with Interrupts() as found:
        yield found


def test_a_count_is_kept_and_the_last_is_read_by_closing(interrupts: Interrupts) -> None:
    source = FakeSource()
    found = list(intervals(source, Run(INTERVAL, count=3), interrupts))
    assert [each.exits for each in found] == [1, 2, 3]
    assert source.calls == ["next", "next", "close"]


def test_the_cost_is_measured_before_the_first_reading_only(interrupts: Interrupts) -> None:
    source = FakeSource()
    for _ in intervals(source, Run(INTERVAL, count=3), interrupts, measure_cost=True):
        assert source.calls_of_cost == ["on", "off"]
    unasked = FakeSource()
    list(intervals(unasked, Run(INTERVAL, count=3), interrupts))
    assert unasked.calls_of_cost == []


def test_one_interval_is_only_closed(interrupts: Interrupts) -> None:
    source = FakeSource()
    assert len(list(intervals(source, Run(INTERVAL, count=1), interrupts))) == 1
    assert source.calls == ["close"]


def test_a_duration_ends_the_run(interrupts: Interrupts) -> None:
    source = FakeSource()
    found = list(intervals(source, Run(INTERVAL, duration=4 * INTERVAL), interrupts))
    assert 1 <= len(found) <= 4
    assert source.calls == ["next"] * (len(found) - 1) + ["close"]


def test_a_duration_shorter_than_the_interval_is_one_interval(interrupts: Interrupts) -> None:
    assert len(list(intervals(FakeSource(), Run(3600, duration=INTERVAL), interrupts))) == 1


def test_a_signal_ends_the_run_with_what_is_left(interrupts: Interrupts) -> None:
    source = FakeSource()
    running = intervals(source, Run(3600), interrupts)
    os.kill(os.getpid(), signal.SIGINT)
    assert [each.exits for each in running] == [1]
    assert source.calls == ["close"]


def test_a_signal_between_two_intervals(interrupts: Interrupts) -> None:
    source = FakeSource()
    running = intervals(source, Run(INTERVAL), interrupts)
    next(running)
    os.kill(os.getpid(), signal.SIGTERM)
    assert len(list(running)) == 1
    assert source.calls == ["next", "close"]


def test_a_long_interval_is_read_in_between(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LONGEST_READING_S", INTERVAL)
    source = FakeSource()
    assert len(list(intervals(source, Run(10 * INTERVAL, count=2), interrupts))) == 2
    assert set(source.calls[:-1]) >= {"read", "next"}
    assert source.calls[-1] == "close"


def test_a_recording_is_not_waited_for(interrupts: Interrupts) -> None:
    source = FakeSource(lasts=3600, holds=4)
    found = list(intervals(source, Run(3600), interrupts))
    assert [each.exits for each in found] == [1, 2, 3, 4]


def test_a_recording_ends_at_the_count(interrupts: Interrupts) -> None:
    source = FakeSource(lasts=3600, holds=4)
    assert len(list(intervals(source, Run(3600, count=2), interrupts))) == 2
    assert source.calls == ["next", "next"]


def test_a_recording_ends_at_the_duration(interrupts: Interrupts) -> None:
    source = FakeSource(lasts=2.0, holds=10)
    assert len(list(intervals(source, Run(3600, duration=6), interrupts))) == 3


def planned(run: Run, late: float = 0.0) -> list[float]:
    """Return when the intervals end, when each reading takes `late` s."""
    ends, number, now = [0.0], 0, 0.0
    while not number or not run.ends(number, ends[-1]):
        number += 1
        ends.append(run.next_end(ends[-1], now))
        now = ends[-1] + late
    return ends[1:]


@pytest.mark.parametrize(
    ("interval", "duration", "number"), [(0.1, 1, 10), (0.7, 7, 10), (1, 3, 3)]
)
def test_intervals_fill_a_duration_though_floats_do_not_add_up(
    interval: float, duration: float, number: int
) -> None:
    ends = planned(Run(interval, duration=duration))
    assert len(ends) == number
    assert ends[-1] == duration


@given(st.floats(0.1, 10), st.floats(0.01, 100))
def test_a_run_lasts_as_long_as_it_should(interval: float, duration: float) -> None:
    ends = planned(Run(interval, duration=duration))
    assert ends[-1] == duration
    lasts = [end - begin for begin, end in zip([0.0, *ends], ends, strict=False)]
    assert all(0 < each <= interval + 1e-5 for each in lasts)


def test_a_late_reading_neither_shifts_nor_bunches_the_next() -> None:
    assert planned(Run(1.0, count=4), late=0.25) == [1, 2, 3, 4]
    assert planned(Run(1.0, count=3), late=2.5) == [1, 3.5, 6]


def test_json_is_a_line_an_interval(interrupts: Interrupts) -> None:
    lines: list[str] = []
    show_json(
        intervals(FakeSource(), Run(INTERVAL, count=3), interrupts),
        lambda pieces: lines.append("".join(pieces)),
    )
    assert [decode(line).exits for line in lines] == [1, 2, 3]


def shown(run: Run, interrupts: Interrupts) -> str:
    console = Console(file=io.StringIO(), width=120)
    show_tables(intervals(FakeSource(), run, interrupts), Query(), console, SnapshotSum())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_tables_end_with_one_of_all_intervals(interrupts: Interrupts) -> None:
    text = shown(Run(INTERVAL, count=3), interrupts)
    assert text.count("IO_INSTRUCTION") == 4
    assert "all 3 intervals" in text
    assert "6 in 3.00 s" in text


def test_one_interval_has_no_second_table(interrupts: Interrupts) -> None:
    text = shown(Run(INTERVAL, count=1), interrupts)
    assert text.count("IO_INSTRUCTION") == 1
    assert "all" not in text
