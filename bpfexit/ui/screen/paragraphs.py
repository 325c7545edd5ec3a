"""A text that can only be scrolled. Pure."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import Line
from bpfexit.ui.screen.body import Segments


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Return a text as lines of at most `width` columns; those after the first are indented.

    A word that is longer has a line of its own. The text's own blanks before it stay.
    """
    blank = text[: len(text) - len(text.lstrip(" "))]
    lines, line = [], blank
    for word in text.split():
        if line.strip() and cell_len(line) + cell_len(word) > width:
            lines.append(line.rstrip(" "))
            line = " " * indent
        line += f"{word} "
    return [*lines, line.rstrip(" ")]


class Paragraphs:
    """Lines of text below a heading; a `Body`."""

    selects = False
    sorts: tuple[str, ...] = ()

    def __init__(self, heading: Segments, lines: Sequence[Segments], note: str = "") -> None:
        self._heading, self._lines, self._note = heading, lines, note

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, position: int) -> Line | None:
        """Return None: the lines are about nothing that could be opened."""
        del position
        return None

    def find(self, key: GroupKey) -> int | None:
        """Return None: there is nothing to find."""
        del key
        return None

    def opened_by(self, position: int) -> tuple[str, ...]:
        """Return nothing: no line is grouped."""
        del position
        return ()

    def draw(self, first: int, rows: int, selected: int | None) -> Iterator[Segments]:
        """Yield the heading and the lines from `first` on."""
        del selected
        yield self._heading
        yield from self._lines[first : first + rows]

    def note(self, first: int, rows: int) -> str:
        """Return the note."""
        del first, rows
        return self._note
