"""Points in time of a recording: seconds, a time of day, or a date and time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from bpfexit.errors import BpfexitError
from bpfexit.model.durations import parse_duration

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
_EARLIER_S = 3600.0
"""A time of day at most this long before the recording's start is not the next day's."""


@dataclass(frozen=True)
class Moment:
    """`seconds` since the start; or since midnight (`of_day`); or unix time (`absolute`)."""

    seconds: float
    of_day: bool = False
    absolute: bool = False

    def since(self, start: float) -> float:
        """Return the seconds from a recording's start, unix time, to this moment.

        Raises `BpfexitError` for a time of day if the start is not a valid time.
        """
        if self.absolute:
            return self.seconds - start
        if not self.of_day:
            return self.seconds
        try:
            return _first_after(start - _EARLIER_S, self.seconds) - start
        except (ValueError, OverflowError, OSError):
            raise BpfexitError(
                "the recording's start is not a valid time: give seconds instead"
            ) from None


def _first_after(earliest_s: float, of_day_s: float) -> float:
    earliest = datetime.fromtimestamp(earliest_s)
    midnight = earliest.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + timedelta(seconds=of_day_s)
    return (moment if moment >= earliest else moment + timedelta(days=1)).timestamp()


def parse_moment(text: str) -> Moment:
    """Read `90`, `90s`, `14:05`, `14:05:30` or ISO 8601. Raises `ValueError`."""
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        if hours >= 24 or minutes >= 60 or seconds >= 60:
            raise ValueError(f"{text!r} is not a time of day")
        return Moment(hours * 3600 + minutes * 60 + seconds, of_day=True)
    try:
        seconds = float(text)
    except ValueError:
        return _duration(text) or _date(text)
    if not 0 <= seconds < 1e12:
        raise ValueError(f"{text!r} is not a number of seconds")
    return Moment(seconds)


def _duration(text: str) -> Moment | None:
    """Read `90s` or `1.5h`; None for a text without a unit of time."""
    try:
        return Moment(parse_duration(text) / 1e9)
    except ValueError:
        return None


def _date(text: str) -> Moment:
    try:
        return Moment(datetime.fromisoformat(text).timestamp(), absolute=True)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r}: expected a time such as 90, 5m, 14:05:30 or 2026-11-23T14:05"
        ) from None
