"""The loop takes its pace from a screen: keys end, hold and hurry an interval."""

import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from bpfexit.run.loop import Loop, Run
from bpfexit.run.signals import Interrupts
from tests.unit.run.fake_source import FakeSource

LONG_S = 3600.0


class Keys:
    """An input whose keys are there from the start, then one after each snapshot."""

    def __init__(self, keys: str) -> None:
        self.fd, self._end = os.pipe()
        self._keys = list(keys)
        self.more()

    def more(self) -> None:
        if self._keys:
            os.write(self._end, self._keys.pop(0).encode())

    def read(self) -> list[str]:
        return list(os.read(self.fd, 99).decode())

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._end)


class FakeScreen:
    """Answers `n`: the next interval, `h`: hold, `m`: measure the cost, `q`: quit."""

    def __init__(self, interval: float = LONG_S) -> None:
        self.interval = interval
        self.measures_cost = self.holds = self.hurries = self.quits = False
        self.suspends = False
        self.seeks: int | None = None
        self.began: list[float | None] = []
        self.pressed: list[str] = []
        self.ended = 0
        self._measure = False

    def begin(self, recorded_s: float | None) -> float:
        self.began.append(recorded_s)
        self.measures_cost, self._measure, self.hurries = self._measure, False, False
        return self.interval

    def press(self, keys: Sequence[str]) -> None:
        self.pressed += keys
        self.hurries = "n" in keys or "m" in keys
        self.holds = "h" in keys
        self._measure = "m" in keys
        self.quits = "q" in keys

    def end_of_recording(self) -> None:
        """Go on, and quit when it is said again."""
        self.ended += 1
        self.quits = self.ended == 2


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    with Interrupts() as opened:
        yield opened


def exits(
    source: FakeSource,
    interrupts: Interrupts,
    keys: str,
    screen: FakeScreen,
    run: Run = Run(LONG_S),  # noqa: B008 - frozen
) -> list[int]:
    """Return the exits of each snapshot that the loop gives meanwhile, then what is left."""
    pressed = Keys(keys)
    loop = Loop(source, run, interrupts, screen, (pressed,))
    counts = []
    for snapshot in loop.snapshots():
        counts.append(snapshot.exits)
        pressed.more()
    pressed.close()
    return [*counts, *(snapshot.exits for snapshot in loop.rest())]


def test_a_key_ends_an_interval_and_another_the_run(interrupts: Interrupts) -> None:
    source, screen = FakeSource(), FakeScreen()
    assert exits(source, interrupts, "nnq", screen) == [1, 2, 3]
    assert source.calls == ["next", "next", "close"]
    assert screen.began == [None] * 3


def test_a_quit_recording_gives_nothing_that_was_not_shown(interrupts: Interrupts) -> None:
    source, screen = FakeSource(lasts=LONG_S), FakeScreen()
    assert exits(source, interrupts, "nq", screen) == [1]
    assert source.calls == ["next"]
    assert screen.began == [LONG_S] * 2


def test_a_held_interval_outlasts_its_end(interrupts: Interrupts) -> None:
    source, screen = FakeSource(), FakeScreen(interval=0.0)
    screen.holds = True
    assert exits(source, interrupts, "q", screen) == [1]
    assert source.calls == ["close"]


def test_the_end_of_a_recording_ends_nothing(interrupts: Interrupts) -> None:
    source, screen = FakeSource(lasts=0.0, holds=2), FakeScreen(interval=0.0)
    assert exits(source, interrupts, "", screen) == [1, 2]
    assert source.calls == ["next"] * 4


def test_the_cost_is_measured_in_the_interval_after_its_key(interrupts: Interrupts) -> None:
    source, screen = FakeSource(), FakeScreen()
    assert exits(source, interrupts, "mnq", screen) == [1, 2, 3]
    assert source.calls_of_cost == ["on", "off"]


def test_a_count_ends_it(interrupts: Interrupts) -> None:
    source = FakeSource()
    found = exits(source, interrupts, "", FakeScreen(interval=0.0), Run(LONG_S, count=3))
    assert found == [1, 2, 3]
    assert source.calls == ["next", "next", "close"]


def test_a_duration_of_a_recording_is_recorded_time(interrupts: Interrupts) -> None:
    source = FakeSource(lasts=100.0)
    found = exits(source, interrupts, "nnnn", FakeScreen(), Run(LONG_S, duration=300))
    assert found == [1, 2, 3]


def test_a_signal_ends_a_held_interval(interrupts: Interrupts) -> None:
    source, screen = FakeSource(), FakeScreen()
    screen.holds = True
    os.kill(os.getpid(), signal.SIGTERM)
    assert exits(source, interrupts, "", screen) == [1]
    assert source.calls == ["close"]
