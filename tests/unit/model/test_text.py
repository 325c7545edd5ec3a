"""Nothing that a guest's owner may write reaches the terminal as anything but text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.text import LIMIT, clean, keep_ends


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


IGNORABLE = [
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810)),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164),
    *(*range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4)),
    *(*range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
]
"""Default_Ignorable_Code_Point of Unicode 15."""


def test_invisible_characters_are_escaped() -> None:
    for each in map(chr, [*IGNORABLE, 0x2800, 0x1D159]):
        assert clean(f"vm{each}1") == f"vm{each.encode('unicode_escape').decode()}1"


@pytest.mark.parametrize("name", ["Zu\u0308rich", "Vie\u0323\u0302t", "\u0915\u094d\u0937"])
def test_marks_that_languages_use_stay(name: str) -> None:
    assert clean(name) == name


def test_marks_without_a_letter_and_stacked_ones_are_escaped() -> None:
    assert clean("\u0301vm") == "\\u0301vm"
    assert clean("a" + "\u0301" * 5 + "b") == "a" + "\u0301" * 3 + "\\u0301" * 2 + "b"
    assert clean("a\u20dd\u0301\u0489\u0301b") == "a\u20dd\u0301\u0489\\u0301b"


def test_a_long_name_keeps_both_its_ends() -> None:
    assert keep_ends("prod-postgres-web-3", 18) == "prod-postgr…-web-3"
    assert keep_ends("prod-postgres-web-3", 19) == "prod-postgres-web-3"
    assert [keep_ends("abcdef", width) for width in range(6)] == [
        *("", "…", "a…", "a…f", "ab…f", "abc…f")
    ]


@given(st.text(st.characters(exclude_characters="…"), max_size=LIMIT), st.integers(0, LIMIT))
def test_what_keeps_its_ends_fits_and_is_as_long_as_it_can_be(text: str, width: int) -> None:
    shown = keep_ends(text, width)
    assert len(shown) == min(len(text), width)
    head, _, tail = shown.partition("…")
    assert text.startswith(head)
    assert text.endswith(tail)


@given(st.text("a客", max_size=LIMIT), st.integers(0, LIMIT))
def test_the_width_is_what_is_measured(text: str, width: int) -> None:
    def measure(part: str) -> int:
        return len(part) + part.count("客")

    shown = keep_ends(text, width, measure)
    assert measure(shown) <= width
    assert measure(text) > width or shown == text
