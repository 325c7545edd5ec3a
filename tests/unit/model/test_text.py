"""Nothing that a guest's owner may write reaches the terminal as anything but text."""

from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.text import LIMIT, clean


@given(st.text(st.characters(codec="utf-16"), max_size=3 * LIMIT))
def test_only_printable_characters_come_out_and_not_too_many(text: str) -> None:
    shown = clean(text)
    assert shown == "" or shown.isprintable()
    assert len(shown) <= LIMIT


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=LIMIT))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_an_escape_sequence_is_shown_not_sent() -> None:
    assert clean("\x1b[2Jvm\u202e") == "\\x1b[2Jvm\\u202e"


def test_lone_surrogates_are_escaped() -> None:
    assert clean("\ud800") == "\\ud800"
