"""Which lines of a body are on the screen, and which one is selected. Pure."""

from typing import NamedTuple

from bpfexit.model.lines import about
from bpfexit.ui.screen.body import Body
from bpfexit.ui.screen.state import Cursor


class Window(NamedTuple):
    """The place of the selected line, and that of the first line on the screen."""

    selected: int
    top: int


def window(cursor: Cursor, body: Body, rows: int) -> Window:
    """Return what is on the screen: the selected line is, and no line below the end.

    The selected line is followed to where it is now; if it is gone, the one in its place is
    selected until it is back.
    """
    length, rows = len(body), max(1, rows)
    last_top = max(0, length - rows)
    if not body.selects:
        top = min(max(cursor.place, 0), last_top)
        return Window(top, top)
    place = body.find(cursor.key) if cursor.key else None
    selected = min(max(cursor.place if place is None else place, 0), max(0, length - 1))
    top = min(max(cursor.top, selected - rows + 1), selected)
    return Window(selected, min(max(top, 0), last_top))


def moved(cursor: Cursor, body: Body, rows: int, key: str) -> Cursor:
    """Return the cursor after a key that moves it: `up`, `pagedown`, `home` and so on."""
    selected, top = window(cursor, body, rows)
    page = max(1, rows - 1)
    steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page}
    place = {"home": 0, "end": len(body) - 1}.get(key, selected + steps.get(key, 0))
    place = min(max(place, 0), max(0, len(body) - 1))
    if not body.selects:
        return Cursor(place=min(place, max(0, len(body) - rows)))
    place = _on_a_line(body, place, -1 if place < selected or key == "end" else 1)
    if key in ("pageup", "pagedown"):
        top += place - selected
    line = body.line(place) if place < len(body) else None
    found = Cursor(about(line) if line else None, place, top)
    return Cursor(found.key, place, window(found, body, rows).top)


def _on_a_line(body: Body, place: int, step: int) -> int:
    """Pass over headings, which are about nothing."""
    for way in (step, -step):
        at = place
        while 0 <= at < len(body):
            if body.line(at) is not None:
                return at
            at += way
    return place
