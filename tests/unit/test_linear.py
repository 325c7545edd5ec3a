"""Work grows as what is read does: twice the guests or intervals, twice the work.

Work is counted, never timed: guests handed on, rows merged or passed over, names compared.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

import pytest
from rich.console import Console

from bpfexit.advice.gathering import gather
from bpfexit.formats.json.recording import Header
from bpfexit.model import snapshot as snapshot_module
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Origin, Snapshot, merged
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query, view
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.writer import Recorder
from bpfexit.run.loop import Run, intervals, sum_for
from bpfexit.run.signals import Interrupts
from bpfexit.ui.batch import show_tables
from bpfexit.ui.header import header
from tests.unit.builders import Exits, pio, snapshot

HEADER = Header("0.1.0", Origin("host", "6.18.0", "kvm_amd"), 1.0, 1000.0)
N = 100
ROWS = 50
"""Rows of an interval that takes memory mostly for them."""
AT_MOST = 2.3
"""Times the work of N that 2N may take; what is quadratic takes four times as much."""


def guest(number: int) -> Guest:
    return Guest(1000 + number, f"web{number}", "qemu", "qemu")


def second(number: int, *guests: Guest, rows: int = 1) -> Snapshot:
    """Return an interval in which one guest runs, with rows of its own."""
    own = guest(number)
    return snapshot(
        *(pio(0x70 + at, ns=(5,), vm=own.name, pid=own.pid, tid=own.pid) for at in range(rows)),
        start=1000.0 + number,
        guests=guests,
    )


def churn(folder: Path, number: int) -> Path:
    """Record a guest an interval: it starts with it, and ends with it."""
    path = folder / f"churn-{number}.jsonl"
    recorder = Recorder(path, lambda: HEADER)
    for at in range(number):
        ended = [replace(guest(at - 1), ended=True)] * (at > 0)
        recorder.write(second(at, *ended, guest(at)))
    recorder.close()
    return path


def snapshots(path: Path) -> Iterator[Snapshot]:
    return iter(RecordingSource(path, Filter()).next, None)


def crowd(number: int) -> Snapshot:
    """Return an interval in which all of so many guests run."""
    return merged([second(at, guest(at)) for at in range(number)])


def grows_linearly(work: Callable[[int], int]) -> bool:
    once, twice = work(N), work(2 * N)
    print(f"{once} at {N}, {twice} at {2 * N}")
    assert once > 0
    return twice <= AT_MOST * once


@pytest.fixture
def rows_merged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many rows each merge has before it."""
    counts: list[int] = []
    whole = snapshot_module.with_common_names

    def counting(of: Any) -> list[Snapshot]:
        counts.append(sum(len(each.rows) for each in of))
        return whole(of)

    monkeypatch.setattr(snapshot_module, "with_common_names", counting)
    return counts


@pytest.fixture
def rows_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many rows each choice among rows passes over."""
    counts: list[int] = []
    whole = Rows.take

    def counting(self: Rows, at: Any) -> Rows:
        counts.append(len(self))
        return whole(self, at)

    monkeypatch.setattr(Rows, "take", counting)
    return counts


def test_an_interval_has_the_guests_of_its_time_alone(tmp_path: Path) -> None:
    def guests(number: int) -> int:
        return sum(len(each.guests) for each in snapshots(churn(tmp_path, number)))

    assert grows_linearly(guests)


def test_the_sum_still_has_all_guests_that_ever_were(tmp_path: Path) -> None:
    total = SnapshotSum()
    for each in snapshots(churn(tmp_path, N)):
        total.add(each)
    found = total.sum()
    assert [each.pid for each in found.guests] == [guest(at).pid for at in range(N)]
    assert found.ended == {(guest(at).pid, guest(at).name) for at in range(N - 1)}


def test_intervals_are_merged_seldom(
    rows_merged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpfexit.model.snapshot_sum._LEAST_WAITING", 1)

    def merging(number: int) -> float:
        rows_merged.clear()
        total = SnapshotSum()
        for at in range(number):
            total.add(second(at, guest(at), rows=ROWS))
        assert len(total.sum().rows) == number * ROWS
        return sum(rows_merged) / (number * ROWS)

    # From one merge to the next the sum grows by the same part, so each row is merged as often.
    assert all(1 <= merging(number) < 8 for number in (N, 2 * N, 4 * N))


def test_tables_one_after_another_are_merged_once(tmp_path: Path, rows_merged: list[int]) -> None:
    def merging(number: int) -> int:
        rows_merged.clear()
        source = RecordingSource(churn(tmp_path, number), Filter())
        with Interrupts() as interrupts:
            console = Console(file=io.StringIO(), width=100)
            snapshots = intervals(source, Run(1.0), interrupts)
            show_tables(snapshots, Query(), console, sum_for(source))
        return sum(rows_merged)

    assert grows_linearly(merging)


class Counted(tuple[Any, ...]):
    """Counts how often it is gone through, and its items are looked at."""

    passes = looks = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return super().__iter__()

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        self.looks += 1
        return super().__getitem__(at)


def test_a_header_goes_through_the_guests_a_few_times_however_many() -> None:
    def passes(number: int) -> int:
        ended = Counted(replace(guest(at), ended=True) for at in range(number))
        header(replace(second(0), guests=ended))
        return ended.passes

    assert passes(N) == passes(2 * N) > 0


def test_a_view_by_guest_passes_over_all_rows_a_few_times_however_many(
    rows_taken: list[int],
) -> None:
    def passes(number: int) -> int:
        rows_taken.clear()
        of = merged([crowd(number), snapshot(Exits("HLT", (5,)))])
        shown = view(of, Query(("vm", "reason", "port")))
        assert len(shown.lines) == 2 * number + 1
        return sum(rows_taken)

    assert grows_linearly(passes)


def test_a_view_by_guest_looks_at_the_users_of_an_address_once_a_guest() -> None:
    def looks(number: int) -> int:
        of = crowd(number)
        vms = Counted(of.vms)
        assert len([*view(replace(of, vms=vms), Query(("vm", "port"))).lines]) == 2 * number
        return vms.looks

    assert grows_linearly(looks)


def test_evidence_passes_over_all_rows_a_few_times_however_many(rows_taken: list[int]) -> None:
    def passes(number: int) -> int:
        rows_taken.clear()
        evidence = list(gather(crowd(number)))
        assert [len(each.rows) for each in evidence] == [1] * number
        return sum(rows_taken)

    assert grows_linearly(passes)


def test_a_limit_leaves_the_first_lines_and_says_how_many_more_there_are() -> None:
    of = crowd(N)
    whole = view(of, Query(("vm", "port")))
    for limit in (1, 2, 3, 2 * N - 1, 2 * N, 3 * N):
        shown = view(of, Query(("vm", "port"), limit=limit))
        about = [(line.vm, line.depth, line.address) for line in shown.lines]
        assert about == [(line.vm, line.depth, line.address) for line in whole.lines[:limit]]
        assert shown.hidden == max(0, 2 * N - limit)


def test_names_are_numbered_once_a_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = 0

    def counting(names: Any) -> Iterator[tuple[int, Any]]:
        nonlocal numbered
        for each in enumerate(names):
            numbered += 1
            yield each

    monkeypatch.setattr(snapshot_module, "enumerate", counting, raising=False)

    def work(number: int) -> int:
        nonlocal numbered
        numbered = 0
        merged([second(at) for at in range(number)])
        return numbered

    assert grows_linearly(work)
