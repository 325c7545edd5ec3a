"""A source that counts how often it is read."""

from collections.abc import Iterator
from contextlib import contextmanager

from bpfexit.model.snapshot import Snapshot
from tests.unit.builders import pio, snapshot


class FakeSource:
    """Counts how often it was read: one exit in the first snapshot, two in the second, ..."""

    has_exit_events = True

    def __init__(self, lasts: float | None = None, holds: int = 10**6) -> None:
        self._lasts = lasts
        self._holds = holds
        self.calls: list[str] = []
        self.calls_of_cost: list[str] = []

    def _read(self, call: str) -> Snapshot | None:
        self.calls.append(call)
        number = len(self.calls)
        return snapshot(pio(0x70, ns=(100,) * number)) if number <= self._holds else None

    def next(self) -> Snapshot | None:
        return self._read("next")

    def notes(self) -> list[str]:
        return []

    def read(self) -> None:
        self.calls.append("read")

    def due(self) -> float | None:
        return self._lasts

    @contextmanager
    def measuring_cost(self) -> Iterator[None]:
        self.calls_of_cost.append("on")
        yield
        self.calls_of_cost.append("off")

    def close(self) -> Snapshot | None:
        return self._read("close") if self._lasts is None else None
