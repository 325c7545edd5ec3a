"""The live screen: it keeps the state and the snapshots, and paints what changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, Protocol, TypeVar

from rich.console import Console

from bpfexit.model.history import History
from bpfexit.model.own_cost import MEASURING_S, ProgramsCost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.ui.screen.body import Body
from bpfexit.ui.screen.cells import Grid, Size
from bpfexit.ui.screen.draw import Frame, draw, frame
from bpfexit.ui.screen.keys import Shown, press
from bpfexit.ui.screen.pages import Data, body
from bpfexit.ui.screen.painter import Painter
from bpfexit.ui.screen.state import State, seen

FoundT = TypeVar("FoundT")


class Recorded(Protocol):
    """Where one is in a recording."""

    @property
    def position(self) -> int:
        """The interval that was returned last, from 1."""

    @property
    def intervals(self) -> int:
        """How many there are; 0 if that is not known."""


class _Counted:
    """The intervals of a live source."""

    position = 0
    intervals = 0


class LiveScreen:
    """Shows snapshots and answers keys; the loop that reads the source gives it both."""

    def __init__(
        self,
        state: State,
        console: Console,
        empty_sum: Callable[[], SnapshotSum],
        recording: Recorded | None = None,
    ) -> None:
        """Begin with a short interval in which the cost is measured.

        `recording` tells which of its intervals is shown.
        """
        self.state = replace(state, measure=True)
        self.measures_cost = False
        self._console = console
        self._painter = Painter(no_color=console.no_color)
        self._empty_sum = empty_sum
        self._sum = empty_sum()
        self._history = History(state.base.than_ns)
        self._recording = recording or _Counted()
        self._summed = 0
        self._snapshot: Snapshot | None = None
        self._programs_cost: ProgramsCost | None = None
        self._ended = False
        self._position = 0
        self._grid: Grid | None = None  # what is painted, part by part
        self._parts: Memo[Snapshot] = Memo()
        self._bodies: Memo[Body] = Memo()

    @property
    def holds(self) -> bool:
        """Whether only a key ends the interval. A pause holds a recording, not a live count."""
        return self.state.go_to is None and (
            self._ended or (self.state.paused and self.state.replay)
        )

    @property
    def hurries(self) -> bool:
        """Whether a key requests the next interval at once."""
        if self.state.go_to is not None:
            return True
        return self.state.measure or (self.state.steps > 0 and not self._ended)

    @property
    def quits(self) -> bool:
        """Whether a key has ended the run."""
        return self.state.quit

    @property
    def suspends(self) -> bool:
        """Whether a key has asked to stop the process; asking takes it back."""
        suspend = self.state.suspend
        self.state = replace(self.state, suspend=False)
        return suspend

    @property
    def seeks(self) -> int | None:
        """The interval of the recording to go on with, from 1; None for the next one."""
        return self.state.go_to

    def begin(self, recorded_s: float | None) -> float:
        """Return the interval's length, s. An interval that measures the cost is short."""
        lasts = recorded_s or self.state.interval
        self.measures_cost = self.state.measure
        self.state = replace(self.state, measure=False)
        return min(lasts, MEASURING_S) if self.measures_cost else lasts

    def press(self, keys: Sequence[str]) -> None:
        """Answer keys. The key `eof` means that the terminal has gone."""
        self._grid = None
        for key in keys:
            shown = Shown(lambda: self._page().lines, self._position, self._recording.intervals)
            self.state = press(self.state, key, shown)
            if self.state.reset:
                self._sum = self._empty_sum()
            if self.state.repaint:
                self._painter.forget()

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot. A pause keeps showing the one before, except for a step.

        Of a recording, an interval may come again; in the sum it is once.
        """
        self._grid = None
        state, recording = self.state, self._recording
        if isinstance(recording, _Counted):
            recording.position += 1
        self._programs_cost = snapshot.cost.programs or self._programs_cost
        if recording.position > self._summed:
            self._summed = recording.position
            self._sum.add(snapshot)
        if not state.paused or state.steps or state.go_to is not None:
            self._snapshot, self._position = snapshot, recording.position
            self._history.put(recording.position, snapshot)
        there = state.go_to is None or recording.position >= state.go_to
        go_to = None if there else state.go_to
        self.state = replace(seen(state, snapshot), steps=max(0, state.steps - 1), go_to=go_to)
        self._ended = False

    def end_of_recording(self) -> None:
        """Keep showing the last snapshot."""
        self._ended, self._grid = True, None
        self.state = replace(self.state, go_to=None)

    @property
    def total(self) -> Snapshot | None:
        """The sum of all snapshots since the start, or since the key that resets it."""
        return self._sum.sum() if self._sum.intervals else None

    def paint(self, most: int) -> tuple[str, bool]:
        """Return the next part of what changes the terminal, and whether it is the last.

        A part ends with the line in which it exceeds `most` characters.
        """
        size = tuple(self._console.size)
        if self._grid is None or (len(self._grid[0]), len(self._grid)) != size:
            self._grid = self.grid()
        return self._painter.paint(self._grid, most)

    def forget(self) -> None:
        """Paint everything anew: something else has been on the terminal."""
        self._grid = None
        self._painter.forget()

    def grid(self) -> Grid:
        """Return the cells of the whole screen."""
        page = self._page()
        return draw(self.state, page.data, page.body, page.around, page.size)

    def _page(self) -> _Page:
        snapshot = self.total if self.state.total else self._snapshot
        intervals = self._recording.intervals
        data = Data(snapshot, self._history, self._position, intervals, self._ended)
        size = Size(*(max(1, number) for number in self._console.size))
        part = self._part(snapshot)
        state = self.state
        key = (state.part, state.tab, state.query(state.tab.by), state.columns, size.width)
        own = (part, state.level.helps, *key)
        found = self._bodies.of(own, lambda: body(state, part, data, size.width))
        around = frame(state, data, part and self._with_cost(part), size)
        return _Page(data, found, around, size)

    def _part(self, snapshot: Snapshot | None) -> Snapshot | None:
        part = self.state.part
        return snapshot and self._parts.of((snapshot, part), lambda: part.of(snapshot))

    def _with_cost(self, part: Snapshot) -> Snapshot:
        return replace(part, cost=replace(part.cost, programs=self._programs_cost))


class _Page(NamedTuple):
    """Everything of a screen but its cells."""

    data: Data
    body: Body
    around: Frame
    size: Size

    @property
    def lines(self) -> tuple[Body, int]:
        """The body, and how many of its lines there are on the screen."""
        return self.body, self.around.rows


class Memo(Generic[FoundT]):
    """The last result, as long as what it depends on is the same."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._found: FoundT | None = None

    def of(self, key: tuple[object, ...], make: Callable[[], FoundT]) -> FoundT:
        """Return the result for a key; of snapshots, the same object is the same."""
        if self._found is None or not _same(self._key, key):
            self._key, self._found = key, make()
        return self._found


def _same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    def same(one: object, other: object) -> bool:
        return one is other or (not isinstance(one, Snapshot) and one == other)

    return len(before) == len(now) and all(map(same, before, now))
