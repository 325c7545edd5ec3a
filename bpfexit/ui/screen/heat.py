"""The colours of shares of time: they only stress what the numbers tell."""

from rich.style import Style

_HOT = ("time", "away")
"""The columns whose large values are bad."""

_BANDS = ((0.5, Style(color="red", bold=True)), (0.2, Style(color="red")))


def heat(key: str, value: float) -> Style | None:
    """Return the style of a column's value; None if it has none of its own."""
    if key not in _HOT:
        return None
    return next((style for least, style in _BANDS if value >= least), None)
