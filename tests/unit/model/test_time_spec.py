"""Moments of a recording, as a person names them."""

from contextlib import suppress
from datetime import datetime
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.model.time_spec import parse_moment

EVENING = datetime(2026, 11, 23, 23, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        ("1.5m", 90),
        ("500ms", 0.5),
        ("1.5", 1.5),
        ("23:30", 0),
        ("23:30:05", 5),
        ("23:31:00.5", 60.5),
        ("22:45", -2700),  # that evening: all of the recording is after it
        ("0:15", 2700),  # that night
        ("22:00", 81000),
        ("2026-11-23T23:45", 900),
        ("2026-11-24 00:30:00", 3600),
        ("2026-11-23", -84600),
    ],
)
def test_it_is_so_long_after_the_start(text: str, seconds: float) -> None:
    assert parse_moment(text).since(EVENING) == pytest.approx(seconds)


def test_an_offset_counts() -> None:
    assert parse_moment("2026-11-23T10:00:00+00:00").since(1795428000.0 - 5) == pytest.approx(5)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "nan", "inf", "25:00", "1:60", "1:2", "2026-13-01", "9" * 400]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time|is not a"):
        parse_moment(text)


@given(st.text(max_size=20))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert isfinite(parse_moment(text).since(EVENING))


def test_a_recording_of_no_calendar_has_no_time_of_day() -> None:
    with pytest.raises(BpfexitError, match="is not a valid time"):
        parse_moment("12:00").since(9e11)
