"""What fills the screen between the lines above and below: a list, or a text."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from rich.segment import Segment

from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import Line

Segments = Sequence[Segment]


class Body(Protocol):
    """Lines of which the screen shows some."""

    @property
    def selects(self) -> bool:
        """Whether one of the lines is selected; otherwise keys only scroll."""

    @property
    def sorts(self) -> tuple[str, ...]:
        """The columns that can sort the lines, in the order of the screen."""

    def __len__(self) -> int:
        """Return the number of lines."""

    def line(self, position: int) -> Line | None:
        """Return what a line is about; None for a heading, and in a text."""

    def find(self, key: GroupKey) -> int | None:
        """Return the line that is about something; None if it is gone."""

    def opened_by(self, position: int) -> tuple[str, ...]:
        """Return the grouping that a line is from."""

    def draw(self, first: int, rows: int, selected: int | None) -> Iterable[Segments]:
        """Return the heading and at most `rows` lines, from line `first` on."""

    def note(self, first: int, rows: int) -> str:
        """Return where the names in these lines come from."""
