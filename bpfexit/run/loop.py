"""One loop for every command and the screen: pace, limits, signals, keys, a resized terminal."""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from typing import Generic, Protocol, TypeVar

from bpfexit.model.own_cost import MEASURING_S
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.recording.total import SUM_MEMORY
from bpfexit.run.keyboard import CONTINUED, Keyboard
from bpfexit.run.resizes import Resizes
from bpfexit.run.screen import Pace, Screen, Unattended
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Intervals, Seekable, Source
from bpfexit.run.terminal import NO_TERMINAL, NoTerminal, Terminal

T = TypeVar("T")

LONGEST_READING_S = 30.0
"""A longer interval is read in between."""

_ROUNDING_S = 1e-6
"""A shorter rest of a run is only the rounding error of its intervals' sum."""


@dataclass(frozen=True)
class Run:
    """The length of a run: `interval` s each, at most `count` of them and `duration` s."""

    interval: float
    count: int | None = None
    duration: float | None = None

    def ends(self, number: int, elapsed: float) -> bool:
        """Return whether interval `number`, from 1, is the last; it ends after `elapsed` s."""
        if self.count is not None and number >= self.count:
            return True
        return self.duration is not None and elapsed >= self.duration

    def next_end(self, previous: float, now: float) -> float:
        """Return when the interval after `previous` ends, s since the start: no drift, no burst."""
        end = max(previous + self.interval, now)
        if self.duration is not None and end > self.duration - _ROUNDING_S:
            return self.duration
        return end


class Input(Protocol):
    """User input at the terminal."""

    @property
    def fd(self) -> int:
        """A descriptor that is readable if there is input."""

    def read(self) -> list[str]:
        """Return the keys pressed since the last call."""


def intervals(
    source: Intervals[T], run: Run, interrupts: Interrupts, *, measure_cost: bool = False
) -> Iterator[T]:
    """Yield a snapshot per interval; the last one is read after the source has stopped.

    A recording is not waited for. With `measure_cost`, the first snapshot of a live source
    has the cost of the programs.
    """
    loop = Loop(source, run, interrupts, Unattended(run.interval, measure_cost))
    yield from loop.snapshots()
    yield from loop.rest()


def run_screen(source: Source, run: Run, interrupts: Interrupts, screen: Screen) -> None:
    """Show a source until the user or the run's length ends it; give the terminal back."""
    with (
        Keyboard() as keyboard,
        Resizes() as resizes,
        Terminal(screen, keyboard) as terminal,
    ):
        loop = Loop(source, run, interrupts, screen, (keyboard, resizes), terminal)
        for snapshot in loop.snapshots():
            screen.add(snapshot)
    for snapshot in loop.rest():
        screen.add(snapshot)


class Loop(Generic[T]):
    """Reads a source at a pace, until the pace, the run's length or a signal ends it."""

    def __init__(
        self,
        source: Intervals[T],
        run: Run,
        interrupts: Interrupts,
        pace: Pace,
        inputs: Sequence[Input] = (),
        terminal: Terminal | NoTerminal = NO_TERMINAL,
    ) -> None:
        self._source = source
        self._run = run
        self._interrupts = interrupts
        self._pace = pace
        self._inputs = inputs
        self._terminal = terminal

    def snapshots(self) -> Iterator[T]:
        """Yield a snapshot per interval, except for the last one of a live source."""
        gc.freeze()  # what has been imported stays: no collection of garbage has to look at it
        begun = time.monotonic()
        end, recorded = 0.0, 0.0
        for number in count(1):
            due = self._source.due()
            now = time.monotonic() - begun
            end = self._next_end(min(end, now), now, due)  # `end` is ahead if a key was pressed
            self._wait(begun + end)
            if self._stopped:
                return
            recorded += due or 0.0
            elapsed = min(end, time.monotonic() - begun) if due is None else recorded
            is_last = self._run.ends(number, elapsed)
            if is_last and due is None:
                return
            yield from self._read()
            if is_last:
                return

    def rest(self) -> Iterator[T]:
        """Close the source; if it is live, yield a snapshot of the time since the last one."""
        if (snapshot := self._source.close()) is not None:
            yield snapshot

    @property
    def _stopped(self) -> bool:
        return self._interrupts.stopped or self._pace.quits

    def _next_end(self, previous: float, now: float, due: float | None) -> float:
        """Begin an interval; return when it ends, s since the start."""
        lasts = self._pace.begin(due)
        run = replace(self._run, interval=lasts) if due is None else Run(lasts)
        return run.next_end(previous, now)

    def _read(self) -> Iterator[T]:
        number, source = self._pace.seeks, self._source
        if number is not None and isinstance(source, Seekable):
            yield from source.skip_to(number)
        snapshot = self._source.next()
        if snapshot is None:
            self._pace.end_of_recording()
        else:
            yield snapshot

    def _wait(self, end: float) -> None:
        """Wait for an interval's end, by the monotonic clock; measure the cost at its beginning."""
        if self._pace.measures_cost:
            with self._source.measuring_cost():
                self._wait_until(min(end, time.monotonic() + MEASURING_S))
        while end - time.monotonic() > LONGEST_READING_S:
            self._wait_until(time.monotonic() + LONGEST_READING_S)
            if self._stopped or self._pace.hurries:
                return
            self._source.read()
        self._wait_until(end)

    def _wait_until(self, end: float) -> None:
        """Answer keys until a point in time, or until the pace or a signal ends the interval."""
        self._terminal.change()
        while not (self._stopped or self._pace.hurries):
            left = inf if self._pace.holds else end - time.monotonic()
            if left <= 0:
                return
            self._terminal.flush()
            self._answer(self._inputs_within(min(left, self._terminal.wait_s)))

    def _inputs_within(self, seconds: float) -> list[Input]:
        """Wait for input, or until the terminal takes what is left to write."""
        terminal = self._terminal
        writing = [terminal.fd] if terminal.is_blocked else []
        fds = [source.fd for source in self._inputs]
        ready = self._interrupts.wait(seconds, *fds, writing=writing)
        return [source for source in self._inputs if source.fd in ready]

    def _answer(self, inputs: Sequence[Input]) -> None:
        keys = self._terminal.without_answers([key for each in inputs for key in each.read()])
        if CONTINUED in keys:
            self._terminal.resume()
        if keys:
            self._pace.press(keys)
            self._terminal.change()
        if self._pace.suspends:
            self._terminal.suspend()


def sum_for(source: Source) -> SnapshotSum:
    """Return an empty sum for a source's snapshots, with bounded memory.

    A recording that exceeds it is refused. A live source may run for ever: its sum merges
    guests that ended long ago.
    """
    if source.due() is None:
        return SnapshotSum(bounded=True)
    return SnapshotSum(SUM_MEMORY)
