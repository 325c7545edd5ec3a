"""What each key changes in the state of the live screen. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bpfexit.ui.screen import prompts
from bpfexit.ui.screen.body import Body
from bpfexit.ui.screen.scrolling import moved, window
from bpfexit.ui.screen.state import Cursor, Level, State
from bpfexit.ui.screen.titles import title_of


@dataclass(frozen=True)
class Shown:
    """What is on the screen when a key is pressed: keys move within it.

    `draw` returns the body and how many of its lines are shown; most keys typed in a prompt
    do not need it. `position` is the interval of a recording that is shown, from 1, and
    `intervals` how many there are.
    """

    draw: Callable[[], tuple[Body, int]]
    position: int = 0
    intervals: int = 0

    @property
    def body(self) -> Body:
        """The lines, of which the screen shows some."""
        return self.draw()[0]

    @property
    def rows(self) -> int:
        """How many lines the screen shows."""
        return self.draw()[1]


def press(state: State, key: str, shown: Shown) -> State:
    """Return the state after a key: a character, or the name of a key such as `pageup`."""
    state = replace(state, reset=False, repaint=False, suspend=False)
    if key in _ALWAYS:
        return _ALWAYS[key](state, shown)
    state = replace(state, message="")
    if state.prompt:
        return _in_prompt(state, key, shown)
    if key in _MOVES:
        cursor = moved(state.level.cursor, shown.body, shown.rows, _MOVES[key])
        return state.at(cursor)
    return _acted(state, key, shown)


def _acted(state: State, key: str, shown: Shown) -> State:
    if state.level.helps and key not in ("q", "Q"):
        return replace(state, levels=state.levels[:-1])
    if key in prompts.PROMPTS:
        return prompts.opened(state, key)
    if key.isdecimal() and key != "0":
        return _to_tab(state, int(key) - 1)
    action = (_REPLAY.get(key) if state.replay else None) or _ACTIONS.get(key)
    return action(state, shown) if action else state


def _in_prompt(state: State, key: str, shown: Shown) -> State:
    if state.level.picks and key in ("up", "down"):
        return state.at(moved(state.level.cursor, shown.body, shown.rows, key))
    if state.level.picks and key == "enter":
        return _open(prompts.closed(state), shown)
    if state.level.picks and key == "escape":
        return _back(prompts.closed(state), shown)
    return prompts.press(state, key, shown.intervals)


def _open(state: State, shown: Shown) -> State:
    """Open the selected line."""
    at = window(state.level.cursor, shown.body, shown.rows).selected
    line = shown.body.line(at) if shown.body.selects and at < len(shown.body) else None
    if line is None:
        return replace(state, levels=state.levels[:-1]) if state.level.picks else state
    by = shown.body.opened_by(at)
    level = Level(state.level.scope.opened(line, by), title_of(line, by))
    if level.scope == state.level.scope:
        return state
    kept = state.levels[:1] if state.level.picks else state.levels
    return replace(state, levels=(*kept, level))


def _back(state: State, shown: Shown) -> State:
    """Go back one step of the path; at its beginning, end the filter."""
    del shown
    if len(state.levels) > 1:
        return replace(state, levels=state.levels[:-1])
    return replace(state, text="")


def _pick(state: State, shown: Shown) -> State:
    """Show the guests, and filter them by what is typed."""
    del shown
    picking = replace(state, levels=(*state.levels, Level(title="pick a guest", picks=True)))
    return replace(prompts.opened(picking, "f"), typed="", text="")


def _help(state: State, shown: Shown) -> State:
    del shown
    return replace(state, levels=(*state.levels, Level(title="help", helps=True)))


def _to_tab(state: State, place: int) -> State:
    if place >= len(state.tabs) or state.level.scope.is_exits:
        return state
    return state.with_level(replace(state.level, tab=place, cursor=Cursor()))


def _next_tab(step: int) -> Callable[[State, Shown], State]:
    return lambda state, _: _to_tab(state, (state.tab_place + step) % len(state.tabs))


def _next_sort(step: int) -> Callable[[State, Shown], State]:
    def sort(state: State, shown: Shown) -> State:
        sorts = shown.body.sorts
        if not sorts:
            return state
        now = state.sort_of(state.tab.by)
        place = sorts.index(now) + step if now in sorts else 0
        return state.sorted_by(sorts[place % len(sorts)])

    return sort


def _reset(state: State, shown: Shown) -> State:
    del shown
    return replace(state, reset=True, message="counters reset")


def _by_guest(state: State, shown: Shown) -> State:
    """Show the guests, wherever one is."""
    del shown
    return _to_tab(replace(state, levels=state.levels[:1]), 0)


def _changed(**changes: object) -> Callable[[State, Shown], State]:
    return lambda state, _: replace(state, **changes)  # type: ignore[arg-type]


def _pause(state: State, shown: Shown) -> State:
    del shown
    return replace(state, paused=not state.paused, steps=0)


def _step(state: State, shown: Shown) -> State:
    """Show the next interval of a recording, and hold."""
    del shown
    return replace(state, paused=True, steps=state.steps + 1)


def _to_interval(choose: Callable[[Shown], int]) -> Callable[[State, Shown], State]:
    def go(state: State, shown: Shown) -> State:
        wanted = min(max(1, choose(shown)), max(1, shown.intervals))
        return replace(state, paused=True, steps=0, go_to=wanted)

    return go


_MOVES = {
    "up": "up",
    "k": "up",
    "down": "down",
    "j": "down",
    "pageup": "pageup",
    "pagedown": "pagedown",
    "\x02": "pageup",
    "\x06": "pagedown",
    "home": "home",
    "end": "end",
    "G": "end",
}

_ALWAYS: dict[str, Callable[[State, Shown], State]] = {
    "eof": _changed(quit=True),
    "\x0c": _changed(repaint=True),
    "\x1a": _changed(suspend=True),
}

_ACTIONS: dict[str, Callable[[State, Shown], State]] = {
    "enter": _open,
    "escape": _back,
    "q": _changed(quit=True),
    "Q": _changed(quit=True),
    "tab": _next_tab(1),
    "backtab": _next_tab(-1),
    "right": _next_sort(1),
    "left": _next_sort(-1),
    "o": _next_sort(1),
    "O": _next_sort(-1),
    ">": _next_sort(1),
    "<": _next_sort(-1),
    "g": _pick,
    "b": _by_guest,
    "p": _pause,
    " ": _pause,
    "r": _reset,
    "t": lambda state, _: replace(state, total=not state.total),
    "x": lambda state, _: replace(state, with_addresses=not state.with_addresses),
    "h": _help,
    "?": _help,
    "c": lambda state, _: replace(state, measure=state.measure or not state.replay),
}

_REPLAY: dict[str, Callable[[State, Shown], State]] = {
    "]": _step,
    "n": _step,
    ".": _step,
    "[": _to_interval(lambda shown: shown.position - 1),
    "{": _to_interval(lambda _: 1),
    "}": _to_interval(lambda shown: shown.intervals),
}
