"""What the live screen shows, and what each key changes in it. Pure: keys in, state out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bpfexit.model.columns import SORT_KEYS
from bpfexit.model.sample import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S
from bpfexit.model.view import Query, default_dimensions

VIEWS: tuple[tuple[str, ...], ...] = (
    default_dimensions(has_exit_events=True),
    default_dimensions(has_exit_events=False),
    ("vm", "reason"),
    ("vm",),
    ("vcpu",),
    ("vcpu", "reason"),
    ("port",),
    ("mmio",),
    ("msr",),
)
"""The views of the arrow keys; a view of --by comes first."""


@dataclass(frozen=True)
class Help:
    """The help of a key: in a word, and in full. `replay`: in recordings only, or only live."""

    keys: str
    word: str
    full: str
    replay: bool | None = None


_HELP = (
    Help("h ?", "help", "show or hide this help"),
    Help("q", "quit", "quit, with the summary of the whole run"),
    Help("p", "pause", "pause or continue"),
    Help("n .", "next", "pause and show the next interval", replay=True),
    Help("space → ←", "view", "next or previous view"),
    Help("o O", "sort", "sort by the next or previous column"),
    Help("t", "total", "show this interval or the total since the start"),
    Help("f", "filter", "filter by guest, reason, address or device name"),
    Help("s", "interval", "set the interval in seconds", replay=False),
    Help("r", "reset", "reset the counters"),
    Help("c", "cost", "measure the cost of bpfexit again, for half a second", replay=False),
)


def help_of(replay: bool) -> tuple[Help, ...]:
    """Return the keys of a recording, or of a live count."""
    return tuple(key for key in _HELP if key.replay in (None, replay))


_PROMPTS = {"f": "filter (empty for none): ", "s": "interval in seconds: "}


@dataclass(frozen=True)
class State:
    """One moment of the live screen."""

    query: Query
    interval: float
    views: tuple[tuple[str, ...], ...] = VIEWS
    replay: bool = False  # a recording can be stepped, and has its own intervals
    steps: int = 0  # intervals to show one by one while paused
    paused: bool = False
    total: bool = False
    help: bool = False
    prompt: str = ""  # the key of the open prompt; "" if there is none
    typed: str = ""
    message: str = ""
    reset: bool = False
    measure: bool = False  # the cost of bpfexit itself, in the next interval
    quit: bool = False

    @property
    def asking(self) -> str:
        """The prompt with the typed text; "" if there is none."""
        return _PROMPTS[self.prompt] + self.typed if self.prompt else ""


def first_state(
    query: Query, interval: float, has_exit_events: bool = True, replay: bool = False
) -> State:
    """Return the first state; without exit events, no view is by reason."""
    views = VIEWS if has_exit_events else tuple(view for view in VIEWS if "reason" not in view)
    others = tuple(view for view in views if view != query.by)
    return State(query, interval, views=(query.by, *others), replay=replay)


def press(state: State, key: str) -> State:
    """Return the state after a key: a character, or `left`, `right`, `up`, `down`, `escape`."""
    state = replace(state, message="", reset=False)
    if state.prompt:
        return _typed(state, key)
    if key in ("q", "Q"):
        return replace(state, quit=True)
    if key in _PROMPTS and not (state.replay and key == "s"):
        return replace(state, prompt=key, typed=state.query.text if key == "f" else "")
    if key in _TURNS:
        return _turned(state, _TURNS[key])
    if key in _SORTS:
        return _sorted(state, _SORTS[key])
    return _toggled(state, key)


_TURNS = {" ": 1, "right": 1, "down": 1, "left": -1, "up": -1}
_SORTS = {"o": 1, ">": 1, "O": -1, "<": -1}


def _toggled(state: State, key: str) -> State:
    if key == "p":
        return replace(state, paused=not state.paused, steps=0)
    if key in ("n", ".") and state.replay:
        return replace(state, paused=True, steps=state.steps + 1)
    if key == "t":
        return replace(state, total=not state.total)
    if key in ("h", "?") or (key == "escape" and state.help):
        return replace(state, help=not state.help)
    if key == "r":
        return replace(state, reset=True, message="counters reset")
    return replace(state, measure=state.measure or (key == "c" and not state.replay))


def _turned(state: State, step: int) -> State:
    at = (state.views.index(state.query.by) + step) % len(state.views)
    return replace(state, query=replace(state.query, by=state.views[at]))


def _sorted(state: State, step: int) -> State:
    column = SORT_KEYS[(SORT_KEYS.index(state.query.sort) + step) % len(SORT_KEYS)]
    return replace(state, query=replace(state.query, sort=column), message=f"sorted by {column}")


def _typed(state: State, key: str) -> State:
    if key == "enter":
        return _answered(replace(state, prompt=""), state.prompt, state.typed.strip())
    if key == "escape":
        return replace(state, prompt="")
    if key == "backspace":
        return replace(state, typed=state.typed[:-1])
    if len(key) == 1 and key.isprintable():
        return replace(state, typed=state.typed + key)
    return state


def _answered(state: State, prompt: str, answer: str) -> State:
    if prompt == "f":
        return replace(state, query=replace(state.query, text=answer))
    try:
        interval = float(answer)
    except ValueError:
        return replace(state, message=f"{answer!r} is not a number of seconds")
    if not SHORTEST_INTERVAL_S <= interval <= LONGEST_INTERVAL_S:
        limits = f"{SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S:.0f} s"
        return replace(state, message=f"the interval must be {limits}")
    return replace(state, interval=interval)
