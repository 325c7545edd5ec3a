"""The interface of a screen for the loop: it sets the pace, answers keys and draws."""

from collections.abc import Sequence
from typing import Protocol

from bpfexit.model.snapshot import Snapshot
from bpfexit.run.terminal import Painted


class Pace(Protocol):
    """Decides how the run continues; the loop reads the properties between all waits."""

    @property
    def measures_cost(self) -> bool:
        """Whether the programs' cost is measured in the interval that has begun."""

    @property
    def holds(self) -> bool:
        """Whether the interval lasts until a key ends it."""

    @property
    def hurries(self) -> bool:
        """Whether the interval ends now."""

    @property
    def quits(self) -> bool:
        """Whether the run ends now."""

    @property
    def seeks(self) -> int | None:
        """The interval of a recording to go on with, from 1; None for the next one."""

    @property
    def suspends(self) -> bool:
        """Whether a key has asked to stop the process."""

    def begin(self, recorded_s: float | None) -> float:
        """Begin an interval; return its length, s: in a recording, it lasted `recorded_s`."""

    def press(self, keys: Sequence[str]) -> None:
        """Answer keys; none of them when only the terminal's size has changed."""

    def end_of_recording(self) -> None:
        """React to the end of a recording: no snapshot follows."""


class Screen(Pace, Painted, Protocol):
    """Shows what the loop reads."""

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot; the last one is not drawn."""


class Unattended:
    """No screen: intervals of one length. A recording is read as fast as possible."""

    holds = False
    seeks = None
    suspends = False

    def __init__(self, interval: float, measure_cost: bool) -> None:
        """Take intervals of `interval` s, and measure the cost in the first if wanted."""
        self.measures_cost = measure_cost
        self.hurries = False
        self.quits = False
        self._interval = interval
        self._begun = False

    def begin(self, recorded_s: float | None) -> float:
        """Begin an interval: the cost is measured in the first one only."""
        self.measures_cost = self.measures_cost and not self._begun
        self._begun = True
        self.hurries = recorded_s is not None
        return self._interval if recorded_s is None else recorded_s

    def press(self, keys: Sequence[str]) -> None:
        """Answer nothing: no keys are read."""

    def end_of_recording(self) -> None:
        """End the run."""
        self.quits = True
