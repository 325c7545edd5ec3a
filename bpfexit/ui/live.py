"""The live screen: redrawn every interval and at every key."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bpfexit.model.own_cost import MEASURING_S, ProgramsCost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.text import clean
from bpfexit.model.view import view
from bpfexit.ui.header import header
from bpfexit.ui.state import State, help_of, press
from bpfexit.ui.tables import NO_EXITS, NO_GUESTS, table

_CHROME = 10
"""Screen lines outside the table: 6 of header, headings, hidden lines, name sources, keys.

Ended guests and notices take a line more each."""

_MORE = "a larger window shows more, f filters"
"""How to see hidden lines."""


class LiveScreen:
    """Shows snapshots and answers keys; the loop that reads the source gives it both.

    As a context, it takes over the terminal, and gives it back as it was.
    """

    def __init__(
        self, state: State, console: Console, empty_sum: Callable[[], SnapshotSum]
    ) -> None:
        """Begin with a short interval in which the cost is measured."""
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._empty_sum = empty_sum
        self._sum = empty_sum()
        self.state = replace(state, measure=True)
        self.snapshot: Snapshot | None = None
        self.measures_cost = False
        self._programs_cost: ProgramsCost | None = None
        self._ended = False

    def __enter__(self) -> "LiveScreen":
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    @property
    def holds(self) -> bool:
        """Whether only a key ends the interval. A pause holds a recording, not a live count."""
        return self._ended or (self.state.paused and self.state.replay)

    @property
    def hurries(self) -> bool:
        """Whether a key requests the next interval at once."""
        return self.state.measure or (self.state.steps > 0 and not self._ended)

    @property
    def quits(self) -> bool:
        """Whether a key has ended the run."""
        return self.state.quit

    def begin(self, recorded_s: float | None) -> float:
        """Draw; return the interval's length, s. An interval that measures the cost is short."""
        lasts = recorded_s or self.state.interval
        self.measures_cost = self.state.measure
        self.state = replace(self.state, measure=False)
        if not self.state.paused or self.state.replay:
            self._draw()
        return min(lasts, MEASURING_S) if self.measures_cost else lasts

    def press(self, keys: Sequence[str]) -> None:
        """Answer keys, and draw. The key `eof` means that the terminal has gone."""
        for key in keys:
            self.state = replace(self.state, quit=True) if key == "eof" else press(self.state, key)
            if self.state.reset:
                self._sum = self._empty_sum()
        self._draw()

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot. A pause keeps showing the one before, except for a step."""
        self._programs_cost = snapshot.cost.programs or self._programs_cost
        if not self.state.paused or self.state.steps:
            self.snapshot = snapshot
        self._sum.add(snapshot)
        self.state = replace(self.state, steps=max(0, self.state.steps - 1))

    def end_of_recording(self) -> None:
        """Keep showing the last snapshot."""
        self._ended = True

    def _draw(self) -> None:
        self._live.update(self.render(), refresh=True)

    @property
    def total(self) -> Snapshot | None:
        """The sum of all snapshots since the start, or since the key that resets it."""
        return self._sum.sum() if self._sum.intervals else None

    def render(self) -> RenderableType:
        """Return the whole screen."""
        if self.state.help:
            return _help(self.state.replay)
        snapshot = self.total if self.state.total else self.snapshot
        if snapshot is None:
            return Group(Text("counting …", style="dim"), Text(), self._footer())
        room = max(1, self._console.height - _CHROME - _extra_lines(snapshot))
        query = self.state.query
        limit = min(query.limit or room, room)
        shown = view(snapshot, replace(query, limit=limit))
        title = "since start or reset" if self.state.total else ""
        about = replace(snapshot, cost=replace(snapshot.cost, programs=self._programs_cost))
        top = header(about, title, with_cost=True)
        empty = NO_EXITS if len(snapshot.vcpus) or self.state.replay else NO_GUESTS
        lines = table(shown, self._console.width, _MORE, empty)
        return Group(top, lines, self._footer())

    def _footer(self) -> Text:
        state = self.state
        if state.asking:
            return Text(state.asking + "▏", style="bold")
        notes = ["paused"] * state.paused + ["end of the recording"] * self._ended
        notes += [f"filter: {clean(state.query.text)}"] * bool(state.query.text)
        notes += [state.message] * bool(state.message)
        status = f"[{', '.join(notes)}]  " if notes else ""
        keys = "  ".join(f"{key.keys.split()[0]} {key.word}" for key in help_of(state.replay))
        return Text(status + keys, style="dim", no_wrap=True, overflow="ellipsis")


def _extra_lines(snapshot: Snapshot) -> int:
    """Count the optional lines of a header."""
    return bool(snapshot.ended) + bool(snapshot.notices)


def _help(replay: bool) -> RenderableType:
    grid = Table(box=None, show_header=False, title="keys", title_justify="left")
    for key in help_of(replay):
        grid.add_row(Text(key.keys, style="bold"), Text(key.full))
    legend = Text(
        "\ntime%: share of the time in exits, HLT excluded; mean to max: from exit to\n"
        "entry. user%: share of the exits that went to user space (QEMU); in user:\n"
        "their mean time there. Percentiles are accurate to within 25 %."
    )
    return Group(grid, legend)
