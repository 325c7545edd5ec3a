"""The live screen: redrawn every interval and at every key."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bpfexit.model.own_cost import ProgramsCost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean
from bpfexit.model.view import view
from bpfexit.run.loop import MEASURING_S, Run, adding_for, last_of
from bpfexit.run.resizes import Resizes
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Source
from bpfexit.ui.keyboard import Keyboard
from bpfexit.ui.state import State, help_of, press
from bpfexit.ui.tables import NO_EXITS, NO_GUESTS, header, table

_CHROME = 10
"""Screen lines that are not the table's: 6 of header, headings, hidden lines, who names, keys.

One more says which guests have ended, and one what keeps addresses from being named."""

_MORE = "a larger window shows more, f filters"
"""How to see the lines that are hidden."""


class LiveScreen:
    """Shows a source until the user, the run's length or the recording's end stops it."""

    def __init__(self, source: Source, run: Run, state: State, console: Console) -> None:
        self._source = source
        self._run = run
        self._console = console
        self.state = replace(state, measure=True)
        self.snapshot: Snapshot | None = None
        self._adding = adding_for(source)
        self._programs_cost: ProgramsCost | None = None
        self._number = 0
        self._ended = False

    def show(self, interrupts: Interrupts) -> None:
        """Take over the terminal; give it back as it was, however this ends."""
        with (
            Keyboard() as keyboard,
            Resizes() as resizes,
            Live(console=self._console, screen=True, auto_refresh=False) as live,
        ):
            begun = time.monotonic()
            end = 0.0
            while not (interrupts.stopped or self.state.quit):
                now = time.monotonic() - begun
                end = self._next_end(min(end, now), now)  # now is before it after some keys
                with self._measuring():
                    self._until(begun + end, keyboard, resizes, interrupts, live)
                if not (interrupts.stopped or self.state.quit):
                    self._read(min(end, time.monotonic() - begun))
        self._add(self._source.close())

    def _next_end(self, previous: float, now: float) -> float:
        """Return when the next interval ends; one that measures is short, and so is the first."""
        lasts = self._source.due() or self.state.interval
        if self.state.measure:
            lasts = min(lasts, MEASURING_S)
        return replace(self._run, interval=lasts).next_end(previous, now)

    def _measuring(self) -> AbstractContextManager[None]:
        if not self.state.measure:
            return nullcontext()
        self.state = replace(self.state, measure=False)
        return self._source.measuring_cost()

    def _until(
        self, end: float, keyboard: Keyboard, resizes: Resizes, interrupts: Interrupts, live: Live
    ) -> None:
        """Answer keys until the interval ends, if it does, or a key wants the next one."""
        if not self.state.paused or self.state.replay:
            live.update(self.render(), refresh=True)
        while not (interrupts.stopped or self.state.quit or self._going_on()):
            left = end - time.monotonic()
            if left <= 0 and not self._waiting():
                return
            ready = interrupts.wait(3600 if self._waiting() else left, keyboard.fd, resizes.fd)
            if resizes.fd in ready:
                resizes.read()
            if keyboard.fd in ready:
                self._press(keyboard.read())
            if ready:
                live.update(self.render(), refresh=True)

    def _waiting(self) -> bool:
        """Say whether only a key goes on: a recording holds, the kernel counts through a pause."""
        return self._ended or (self.state.paused and self.state.replay)

    def _going_on(self) -> bool:
        return self.state.measure or (self.state.steps > 0 and not self._ended)

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            self.state = replace(self.state, quit=True) if key == "eof" else press(self.state, key)
            if self.state.reset:
                self._adding = adding_for(self._source)

    def _read(self, elapsed: float) -> None:
        self._number += 1
        ends = self._run.ends(self._number, elapsed)
        snapshot = last_of(self._source) if ends else self._source.next()
        self._ended = snapshot is None
        self._add(snapshot)
        self.state = replace(self.state, steps=max(0, self.state.steps - 1))
        if ends:
            self.state = replace(self.state, quit=True)

    def _add(self, snapshot: Snapshot | None) -> None:
        if snapshot is None:
            return
        self._programs_cost = snapshot.cost.programs or self._programs_cost
        if not self.state.paused or self.state.steps:
            self.snapshot = snapshot
        self._adding.add(snapshot)

    @property
    def total(self) -> Snapshot | None:
        """What was shown since the start, or since the key that resets it."""
        return self._adding.sum() if self._adding.intervals else None

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
        said = f"[{', '.join(notes)}]  " if notes else ""
        keys = "  ".join(f"{each.keys.split()[0]} {each.word}" for each in help_of(state.replay))
        return Text(said + keys, style="dim", no_wrap=True, overflow="ellipsis")


def _extra_lines(snapshot: Snapshot) -> int:
    """Count the lines of a header that are only there at times."""
    return bool(snapshot.ended) + bool(snapshot.notices)


def _help(replay: bool) -> RenderableType:
    grid = Table(box=None, show_header=False, title="keys", title_justify="left")
    for each in help_of(replay):
        grid.add_row(Text(each.keys, style="bold"), Text(each.full))
    legend = Text(
        "\ntime%: of the time in exits, HLT aside; mean to max: from exit to entry.\n"
        "user%: share of the exits that went to user space (QEMU); in user: how long\n"
        "they were there, on average. Percentiles are accurate to within 25 %."
    )
    return Group(grid, legend)
