"""The whole screen: (state, snapshots, size) to cells. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.columns import BY_KEY
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean, keep_ends
from bpfexit.ui.header import header_lines, origin_line, totals_line
from bpfexit.ui.screen.body import Body, Segments
from bpfexit.ui.screen.cells import Grid, Size, grid
from bpfexit.ui.screen.help import help_of
from bpfexit.ui.screen.pages import Data
from bpfexit.ui.screen.prompts import PROMPTS
from bpfexit.ui.screen.scrolling import window
from bpfexit.ui.screen.state import State
from bpfexit.ui.tables import NO_CHOSEN_GUESTS, NO_EXITS, NO_GUESTS

_DIM = Style(dim=True)
_BOLD = Style(bold=True)
_HERE = Style(bold=True, reverse=True)
_LEAST_ROWS = 2
"""Lines of a list that the lines above it leave on a low screen."""

_AROUND = 2
"""The heading of the body, and the line below it."""

_BAR = 40
"""Columns of the bar that shows the position in a recording."""

_RICH = Console(file=io.StringIO(), width=80, height=24, highlight=False, markup=False, emoji=False)
"""Knows rich's styles; it prints nothing."""


@dataclass(frozen=True)
class Frame:
    """The lines above and below a body, and how many its own lines may be."""

    above: tuple[Segments, ...]
    below: tuple[Segments, ...]
    rows: int


def frame(state: State, data: Data, snapshot: Snapshot | None, size: Size) -> Frame:
    """Return the lines around a body; `snapshot` has what is shown of it alone."""
    above: list[Segments] = []
    if snapshot is not None and not state.level.scope.is_exits:
        title = "since start or reset" if state.total else ""
        above += _lines(header_lines(snapshot, title, with_cost=True), size.width)
    elif snapshot is not None:
        above += _lines([origin_line(snapshot), totals_line(snapshot)], size.width)
    if not state.level.helps:
        above.append(_tabs(state, size.width))
    above.append(_path(state, data, size.width))
    below = [_foot(state, data, size.width)]
    left = size.height - len(below) - _AROUND
    above = above[max(0, len(above) - max(0, left - _LEAST_ROWS)) :]
    return Frame(tuple(above), tuple(below), max(1, left - len(above)))


def draw(state: State, data: Data, body: Body, around: Frame, size: Size) -> Grid:
    """Return the cells of the screen."""
    rows = around.rows
    selected, top = window(state.level.cursor, body, rows)
    drawn = list(body.draw(top, rows, selected if body.selects else None))[: rows + 1]
    if not len(body):
        drawn = [*drawn[:1], [Segment(_empty(state, data), _DIM)]]
    drawn += [[]] * (rows + 1 - len(drawn))
    lines = [*around.above, *drawn, _note(body, top, rows, size.width), *around.below]
    return grid(lines[max(0, len(lines) - size.height) :], size)


def _lines(texts: Iterable[Text], width: int) -> Iterator[Segments]:
    """Yield lines that are cut to a width, as rich does, which takes longer over it."""
    for text in texts:
        text.truncate(width)
        # `render` leaves out the style of the whole text if no part of it has one of its own.
        yield list(Segment.apply_style(text.render(_RICH), _RICH.get_style(text.style)))


def _tabs(state: State, width: int) -> Segments:
    """Return the views with their numbers; if they do not fit, those around the one shown."""
    if state.level.scope.is_exits:
        return [Segment("Esc goes back", _DIM)]
    titles = [f" {place} {tab.title} " for place, tab in enumerate(state.tabs, 1)]
    first, here = 0, state.tab_place
    while first < here and sum(map(len, titles[first : here + 1])) > width:
        first += 1
    fitting = _fitting(titles[first:], 0, width)
    shown = enumerate(titles[first : first + max(fitting, here + 1 - first)], first)
    return [Segment(title, _HERE if place == here else _DIM) for place, title in shown]


def _path(state: State, data: Data, width: int) -> Segments:
    """Return where one is, and how it is sorted and how often it is new."""
    path = " > ".join(level.title for level in state.levels)
    notes = [_sorting(state)] if not state.level.scope.is_exits else []
    notes += [] if state.replay else [f"every {state.interval:g} s"]
    notes += [f"at least {numbers.duration(state.base.than_ns)}"] * bool(state.base.than_ns)
    notes += [f"filter {clean(state.text)}"] * bool(state.text)
    notes += [_position(state, data)] if state.replay else ["paused"] * state.paused
    right = ", ".join(note for note in notes if note)
    room = max(0, width - cell_len(right) - 2)
    left = keep_ends(path, room, cell_len)
    return [Segment(left.ljust(room + len(left) - cell_len(left)), _BOLD), Segment(f"  {right}")]


def _sorting(state: State) -> str:
    sort = state.sort_of(state.tab.by)
    return f"by {BY_KEY[sort].title if sort in BY_KEY else sort}"


def _position(state: State, data: Data) -> str:
    """Return which interval of a recording is shown, and a bar."""
    of = f"/{data.intervals}" if data.intervals else ""
    place = f"{data.position}{of}"
    if data.ended:
        return f"end of the recording, {place}"
    return f"paused at {place}" if state.paused else place


def _foot(state: State, data: Data, width: int) -> Segments:
    """Return the prompt, the last message, or the keys."""
    if state.prompt:
        typed = keep_ends(clean(state.typed, 512), max(1, width - 40), cell_len)
        hint = "" if not state.message else f"  ({state.message})"
        return [Segment(f"{PROMPTS[state.prompt]}{typed}▏{hint}", _BOLD)]
    if state.message:
        return [Segment(clean(state.message), _BOLD)]
    bar = _bar(data.position, data.intervals, min(_BAR, width // 3)) if state.replay else ""
    keys = [f"{key.keys.split()[0]} {key.word}" for key in help_of(state.replay)]
    return [Segment(bar, _BOLD), Segment(_joined(keys, width - cell_len(bar)), _DIM)]


def _joined(words: Sequence[str], width: int) -> str:
    """Return the first of the words that fit, each in full."""
    return "  ".join(words[: _fitting(words, 2, width)])


def _fitting(words: Sequence[str], gap: int, width: int) -> int:
    """Return how many of the words fit, with a gap between them."""
    ends = accumulate(cell_len(word) + gap for word in words)
    return sum(end - gap <= width for end in ends)


def _bar(position: int, intervals: int, width: int) -> str:
    """Return how far into a recording one is."""
    if not intervals:
        return ""
    done = max(1, width * position // intervals) if position else 0
    return f"[{'=' * (done - 1)}{'>' * bool(done)}{' ' * (width - done)}] "


def _note(body: Body, top: int, rows: int, width: int) -> Segments:
    """Return which lines these are, if not all of them, and where their names come from."""
    length = len(body)
    place = f"lines {top + 1}-{min(length, top + rows)} of {length}" if length > rows else ""
    text = "; ".join(part for part in (place, body.note(top, rows)) if part)
    return [Segment(keep_ends(text, width, cell_len), _DIM)]


def _empty(state: State, data: Data) -> str:
    """Return why there are no lines."""
    if data.snapshot is None:
        return "reading the recording" if state.replay else "counting …"
    if state.text:
        return f"nothing matches {clean(state.text)}; Esc ends the filter"
    if state.level.scope.pid in {guest.pid for guest in data.snapshot.without_vcpus}:
        return "this guest has not exited since counting began"
    has_guests = len(data.snapshot.vcpus) or data.snapshot.without_vcpus or state.replay
    if has_guests:
        return NO_EXITS
    return NO_CHOSEN_GUESTS if state.chosen else NO_GUESTS
