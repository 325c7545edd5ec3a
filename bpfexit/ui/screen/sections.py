"""Lists one below another, as one body. Pure."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import Line
from bpfexit.ui.screen.body import Body, Segments


class Sections:
    """Bodies with a heading each; a `Body`. That of the first line on the screen is at its top."""

    selects = True

    def __init__(self, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        # Each section after the first has its heading as its first line.
        sizes = [len(body) + (1 if at else 0) for at, body in enumerate(bodies)]
        self._starts = [0, *accumulate(sizes)]

    @property
    def sorts(self) -> tuple[str, ...]:
        """The columns of the last section."""
        return self._bodies[-1].sorts

    def __len__(self) -> int:
        return self._starts[-1]

    def line(self, position: int) -> Line | None:
        """Return what a line is about; None for a heading."""
        body, own = self._at(position)
        return body.line(own) if own >= 0 else None

    def find(self, key: GroupKey) -> int | None:
        """Return the line that is about something; None if it is gone."""
        for at, body in enumerate(self._bodies):
            own = body.find(key)
            if own is not None:
                return self._starts[at] + own + (1 if at else 0)
        return None

    def opened_by(self, position: int) -> tuple[str, ...]:
        """Return the grouping that a line is from."""
        body, own = self._at(position)
        return body.opened_by(max(0, own))

    def draw(self, first: int, rows: int, selected: int | None) -> Iterator[Segments]:
        """Yield the heading of the section at `first`, and the lines from there on."""
        left, with_heading = rows, True
        for at, body in enumerate(self._bodies):
            start = self._starts[at] + (1 if at else 0)
            if first >= start + len(body) and at + 1 < len(self._bodies):
                continue
            own = max(0, first - start)
            own_selected = None if selected is None else selected - start
            drawn = iter(body.draw(own, max(0, left - (0 if with_heading else 1)), own_selected))
            heading = next(drawn)
            if with_heading or left > 0:
                yield heading
            left -= 0 if with_heading else 1
            with_heading = False
            for segments in drawn:
                yield segments
                left -= 1

    def note(self, first: int, rows: int) -> str:
        """Return where names come from, of the last section."""
        start = self._starts[-2] + (1 if len(self._bodies) > 1 else 0)
        own = max(0, first - start)
        return self._bodies[-1].note(own, max(0, first + rows - start))

    def _at(self, position: int) -> tuple[Body, int]:
        """Return the section of a line, and its place there; -1 for the heading."""
        place = max(at for at in range(len(self._bodies)) if self._starts[at] <= position)
        return self._bodies[place], position - self._starts[place] - (1 if place else 0)
