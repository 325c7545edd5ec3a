"""The exporter reads by its own clock, and what is scraped meanwhile is one reading's."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Thread

from prometheus_client import generate_latest

from bpfexit.exporting.detail import Detail
from bpfexit.exporting.exporter import Exporter
from bpfexit.model.snapshot import Snapshot
from bpfexit.run.loop import Run
from bpfexit.run.signals import Interrupts
from tests.unit.builders import Exits, snapshot
from tests.unit.exporting.exposed import described


class Source:
    """Snapshots of one exit for each of two reasons, and how often they were read."""

    has_exit_events = True

    def __init__(self, number: int) -> None:
        self._left: Iterator[Snapshot] = (
            snapshot(Exits("CPUID", ns=(1,)), Exits("RDTSC", ns=(1,))) for _ in range(number)
        )

    def notes(self) -> list[str]:
        return []

    def next(self) -> Snapshot | None:
        return next(self._left, None)

    def read(self) -> None:
        raise AssertionError("a recording is read interval by interval")

    def due(self) -> float | None:
        return 0.0

    def measuring_cost(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> Snapshot | None:
        return None


def counts(exporter: Exporter) -> list[float]:
    """Return the exits by reason in a scrape."""
    lines = generate_latest(exporter.registry).decode().splitlines()
    return [float(line.split()[-1]) for line in lines if line.startswith("bpfexit_exits_total")]


def test_it_adds_up_whether_or_not_anyone_scrapes_and_says_so_each_time() -> None:
    exporter, notes = Exporter(described, Detail()), []
    with Interrupts() as interrupts:
        exporter.run(Source(5), Run(0.1), interrupts, lambda: notes.append(time.monotonic()))
    assert counts(exporter) == [5, 5]
    assert len(notes) == 5


def test_a_scrape_while_it_adds_up_has_one_reading() -> None:
    exporter, end, found = Exporter(described, Detail()), Event(), []

    def scrape() -> None:
        while not end.is_set():
            found.append(counts(exporter))

    thread = Thread(target=scrape)
    thread.start()
    with Interrupts() as interrupts:
        exporter.run(Source(300), Run(0.1), interrupts)
    end.set()
    thread.join()
    assert all(len(set(each)) <= 1 for each in found)
