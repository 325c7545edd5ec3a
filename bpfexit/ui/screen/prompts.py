"""Typing an answer at the foot of the screen. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from bpfexit.model.columns import sort_key
from bpfexit.model.sample import INTERVAL
from bpfexit.model.scope import matcher
from bpfexit.ui.screen.layout import EXTRAS
from bpfexit.ui.screen.state import Cursor, State

PROMPTS = {
    "f": "filter: ",
    "/": "filter: ",
    "s": "interval: ",
    "C": "columns (empty for those that fit): ",
    ":": "interval number: ",
}
"""The keys that open a prompt, and what it asks for."""

_LONGEST = 256


def opened(state: State, key: str) -> State:
    """Return the state with an open prompt; its answer so far can be changed."""
    if (key == ":" and not state.replay) or (key == "s" and state.replay):
        return state
    before = {"f": state.text, "/": state.text, "C": ",".join(state.columns)}.get(key, "")
    typed = "/" if key == "/" else before
    return replace(state, prompt="f" if key == "/" else key, typed=typed, before=before)


def closed(state: State) -> State:
    """Return the state without the prompt, as if nothing had been typed."""
    text = state.before if state.prompt == "f" else state.text
    return replace(state, prompt="", text=text)


def press(state: State, key: str, intervals: int) -> State:
    """Return the state after a key in a prompt."""
    if key == "enter":
        answer = _ANSWERS[state.prompt]
        return answer(replace(state, prompt=""), state.typed.strip(), intervals)
    if key == "escape":
        return closed(state)
    typed = _typed(state.typed, key)
    if typed == state.typed:
        return state
    state = replace(state, typed=typed)
    return _filtered(state) if state.prompt == "f" else state


def _typed(typed: str, key: str) -> str:
    if key in ("backspace", "\x08"):
        return typed[:-1]
    if key == "\x15":  # Ctrl-U
        return ""
    if key == "\x17":  # Ctrl-W
        return re.sub(r"\w+\W*$|\W+$", "", typed)
    if len(key) == 1 and key.isprintable() and len(typed) < _LONGEST:
        return typed + key
    return typed


def _filtered(state: State) -> State:
    """Filter by what is typed so far; an expression that is not complete changes nothing."""
    text = state.typed.strip()
    try:
        matcher(text)
    except re.error as error:
        return replace(state, message=f"not a regular expression: {error}")
    cursor = Cursor() if state.level.picks else state.level.cursor
    return replace(state.at(cursor), text=text)


def _answer_filter(state: State, answer: str, intervals: int) -> State:
    del answer, intervals
    return _filtered(state)


def _answer_interval(state: State, answer: str, intervals: int) -> State:
    del intervals
    try:
        return replace(state, interval=INTERVAL.seconds(answer))
    except ValueError as error:
        return replace(state, message=str(error))


def _answer_number(state: State, answer: str, intervals: int) -> State:
    if not answer.isdecimal() or not 1 <= int(answer) <= intervals:
        return replace(state, message=f"{answer!r} is not an interval from 1 to {intervals}")
    return replace(state, paused=True, steps=0, go_to=int(answer))


def _answer_columns(state: State, answer: str, intervals: int) -> State:
    del intervals
    try:
        return replace(state, columns=column_keys(answer))
    except ValueError as error:
        return replace(state, message=str(error))


_ANSWERS: dict[str, Callable[[State, str, int], State]] = {
    "f": _answer_filter,
    "s": _answer_interval,
    "C": _answer_columns,
    ":": _answer_number,
}


def column_keys(text: str) -> tuple[str, ...]:
    """Read names or headings of columns, separated by commas. Raises `ValueError`."""
    extras = {extra.key for extra in EXTRAS}
    found = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        key = name if name in extras else sort_key(name)
        if key is None:
            raise ValueError(f"unknown column {name!r}")
        found.append(key)
    return tuple(dict.fromkeys(found))
