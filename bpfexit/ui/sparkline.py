"""A row of numbers as a row of blocks. Pure."""

from collections.abc import Iterable
from math import ceil, isfinite, isnan

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Iterable[float]) -> str:
    """Return a character per value, scaled to the largest; a blank for an unknown value (nan).

    The lowest block means zero: any exit is visible.
    """
    numbers = list(values)
    top = max(filter(isfinite, numbers), default=0.0)
    return "".join([" " if isnan(number) else _block(number, top) for number in numbers])


def _block(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return _LEVELS[0]
    return _LEVELS[max(1, ceil(value * 7 / top)) if value < top else 7]
