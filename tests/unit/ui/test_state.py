"""Keys change what the help says they change."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.columns import SORT_KEYS
from bpfexit.model.view import Query
from bpfexit.ui.state import VIEWS, State, first_state, help_of, press

START = first_state(Query(), 1.0)
REPLAY = first_state(Query(), 1.0, replay=True)
KEY_NAMES = {"space": " ", "→": "right", "←": "left"}


def help_keys(replay: bool) -> list[str]:
    return [KEY_NAMES.get(word, word) for each in help_of(replay) for word in each.keys.split()]


HELP_KEYS = sorted({*help_keys(False), *help_keys(True)})
ANY_KEY = (
    st.sampled_from(["up", "down", "left", "right", "escape", "enter", "backspace", *HELP_KEYS])
    | st.characters()
    | st.just("\ufffd\ufffd")
)


def pressed(*keys: str, state: State = START) -> State:
    return reduce(press, keys, state)


def typed(prompt: str, text: str, state: State = START) -> State:
    return pressed(prompt, *["backspace"] * 99, *text, "enter", state=state)


@pytest.mark.parametrize("state", [START, REPLAY])
@pytest.mark.parametrize("key", HELP_KEYS)
def test_a_key_does_something_where_the_help_has_it_and_nothing_elsewhere(
    key: str, state: State
) -> None:
    assert (press(state, key) != state) == (key in help_keys(state.replay))


@pytest.mark.parametrize("key", ["n", "."])
def test_a_recording_is_stepped_and_held(key: str) -> None:
    state = pressed(key, key, key, state=REPLAY)
    assert (state.paused, state.steps) == (True, 3)
    going_on = press(state, "p")
    assert (going_on.paused, going_on.steps) == (False, 0)


@pytest.mark.parametrize(
    ("key", "field"), [("p", "paused"), ("t", "total"), ("h", "help"), ("?", "help")]
)
def test_a_switch_is_on_and_off_again(key: str, field: str) -> None:
    assert getattr(press(START, key), field) is True
    assert pressed(key, key) == START


@pytest.mark.parametrize("key", ["q", "Q"])
def test_quitting(key: str) -> None:
    assert press(START, key).quit


def test_escape_leaves_the_help_and_nothing_else() -> None:
    assert pressed("h", "escape") == START
    assert press(START, "escape") == START


def test_the_views_go_round_both_ways() -> None:
    state = START
    seen = []
    for _ in VIEWS:
        seen.append(state.query.by)
        state = press(state, "right")
    assert sorted(seen) == sorted(VIEWS)
    assert state.query.by == START.query.by
    for forward, back in ((" ", "left"), ("right", "up"), ("down", "left")):
        assert pressed(forward, back) == START


def test_a_view_of_the_users_own_comes_first_and_again() -> None:
    own = first_state(Query(("msr", "vm")), 1.0)
    assert own.views[0] == ("msr", "vm")
    assert len(own.views) == len(VIEWS) + 1
    assert pressed(*["right"] * len(own.views), state=own).query.by == ("msr", "vm")
    assert len(first_state(Query(("vm",)), 1.0).views) == len(VIEWS)


def test_without_reasons_no_view_is_by_reason() -> None:
    state = first_state(Query(("port",)), 1.0, has_exit_events=False)
    assert state.views[0] == ("port",)
    assert not any("reason" in view for view in state.views)
    assert ("vcpu",) in state.views


def test_the_columns_go_round_both_ways() -> None:
    state = START
    seen = set()
    for _ in SORT_KEYS:
        state = press(state, "o")
        seen.add(state.query.sort)
        assert state.query.sort in state.message
    assert seen == set(SORT_KEYS)
    assert pressed("o", "O").query == pressed(">", "<").query == START.query


def test_a_reset_is_asked_for_once() -> None:
    state = press(START, "r")
    assert state.reset
    assert state.message
    assert not press(state, "x").reset
    assert not press(state, "x").message


def test_a_filter_is_typed_shown_corrected_and_kept() -> None:
    state = pressed("f", *"quiz")
    assert state.asking.endswith("quiz")
    assert not state.quit
    state = pressed("backspace", "enter", state=state)
    assert state.query.text == "qui"
    assert not state.asking
    assert press(state, "f").typed == "qui"
    assert typed("f", "  ", state).query.text == ""


def test_escape_leaves_a_prompt_as_if_nothing_had_been_typed() -> None:
    state = pressed("f", *"abc", "escape")
    assert (state.query, state.asking) == (START.query, "")
    assert typed("s", "5").interval == 5


def test_keys_that_are_no_text_are_not_typed() -> None:
    assert pressed("f", "up", "\x00", "\x1b", "\u202e", "\ufffd\ufffd").typed == ""


def test_a_prompt_starts_empty_whatever_was_typed_before() -> None:
    assert pressed("f", *"abc", "enter", "s").typed == ""


@pytest.mark.parametrize(("text", "seconds"), [("0.1", 0.1), ("2", 2), ("3600", 3600)])
def test_an_interval_is_set(text: str, seconds: float) -> None:
    state = typed("s", text)
    assert state.interval == seconds
    assert not state.message


@pytest.mark.parametrize("text", ["", "0", "-1", "0.05", "86401", "1e9", "nan", "inf", "two"])
def test_an_interval_that_is_none_gives_a_message(text: str) -> None:
    state = typed("s", text)
    assert state.interval == 1.0
    assert state.message
    assert not state.asking


def test_an_unknown_key_does_nothing() -> None:
    for key in ("x", "\x04", "ä", "enter", "backspace", "\ufffd"):
        assert press(START, key) == START


@given(st.lists(ANY_KEY, max_size=40))
def test_any_keys_lead_to_a_state_that_can_be_shown(keys: list[str]) -> None:
    state = pressed(*keys)
    assert state.query.by in state.views
    assert state.query.sort in SORT_KEYS
    assert 0.1 <= state.interval <= 3600
    assert bool(state.asking) == bool(state.prompt)
    assert state.typed.isprintable()


@given(st.lists(ANY_KEY, max_size=20))
def test_a_key_changes_no_state_but_makes_one(keys: list[str]) -> None:
    pressed(*keys)
    assert replace(START) == first_state(Query(), 1.0)
