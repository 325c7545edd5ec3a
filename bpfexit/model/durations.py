"""Durations as typed: `90`, `500ms`, `1.5s`, `2m`."""

import re
from typing import NamedTuple

UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
UNITS_NS["min"], UNITS_NS["h"] = UNITS_NS["m"], 3600 * 10**9

_DURATION = re.compile(
    rf"([0-9]{{1,15}}(?:\.[0-9]{{1,9}})?|\.[0-9]{{1,9}})\s*({'|'.join(UNITS_NS)})?", re.ASCII
)


def parse_duration(text: str, unit: str | None = None) -> float:
    """Return a duration in ns; a bare number is in `unit`. Raises `ValueError` for other text."""
    match = _DURATION.fullmatch(text.strip())
    used = match and (match[2] or unit)
    if not match or not used:
        raise ValueError(f"{text!r} is not a duration such as 500ms or 2s")
    return float(match[1]) * UNITS_NS[used]


class TimeLimits(NamedTuple):
    """The shortest and the longest time that is accepted, as people type them."""

    least: str
    most: str

    def seconds(self, text: str) -> float:
        """Read a time, a bare number in seconds; return seconds. Raises `ValueError`."""
        least, most = parse_duration(self.least), parse_duration(self.most)
        try:
            ns = parse_duration(text, "s")
        except ValueError:
            ns = -1.0
        if not least <= ns <= most:
            limits = f"from {self.least} to {self.most}"
            raise ValueError(f"{text!r}: expected a time {limits}, such as 0.5, 500ms or 2s")
        return ns / 1e9
