"""The bytes that bring a terminal from what it shows to what it is to show."""

from functools import lru_cache

from rich.color import ColorSystem
from rich.style import Style

from bpfexit.ui.screen.cells import Grid, Size, blank
from bpfexit.ui.screen.diff import diff

_CLEAR = "\x1b[m\x1b[H\x1b[2J"


class Painter:
    """Knows what the terminal shows."""

    def __init__(self, *, no_color: bool) -> None:
        """Write in the 16 colours that every terminal has, or in none."""
        self._sgr = _uncoloured if no_color else _coloured
        self._shown: Grid | None = None
        self._next = 0

    def paint(self, wanted: Grid, most: int) -> tuple[str, bool]:
        """Return the next part of what changes the terminal, and whether it is the last.

        A part ends with the line in which it exceeds `most` characters.
        """
        size = Size(len(wanted[0]) if wanted else 0, len(wanted))
        before, clear = self._shown, ""
        if before is None or (len(before), len(before[0])) != (size.height, size.width):
            before, clear, self._next = blank(size), _CLEAR, 0
        text, self._shown, self._next, is_last = diff(before, wanted, self._sgr, self._next, most)
        return clear + text, is_last

    def forget(self) -> None:
        """Know nothing: the next part begins with an empty screen."""
        self._shown = None


@lru_cache(256)
def _coloured(style: Style) -> str:
    codes, _, _ = style.render("x", color_system=ColorSystem.STANDARD).partition("x")
    return codes[2:-1]


def _uncoloured(style: Style) -> str:
    return _coloured(style.without_color)
