"""Draw the live screen of a recording as SVG: `python docs/picture.py RECORDING PICTURE`."""

import io
import re
import sys
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI

from bpfexit.model.filter import Filter
from bpfexit.model.view import Query
from bpfexit.recording.replay import Replay
from bpfexit.run.loop import sum_for
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.screen.cells import Cell, Grid, texts
from bpfexit.ui.screen.state import first_state

WIDTH, HEIGHT = 120, 40

_BLANKS = re.compile(r"(^ +| {2,}| +$)")
"""What is a text of its own: not every viewer keeps blanks at the ends of one."""


def main(recording: Path, path: Path) -> None:
    """Draw the live screen as it is after all of the recording, without its empty lines."""
    source = Replay(recording, Filter())
    console = Console(
        file=io.StringIO(), width=WIDTH, height=HEIGHT, force_terminal=True, _environ={}
    )
    screen = LiveScreen(first_state(Query(), 1.0), console, partial(sum_for, source))
    while (snapshot := source.next()) is not None:
        screen.add(snapshot)
    grid = screen.grid()
    path.write_text(picture(tuple(row for row in grid if any(texts([row])))))


def picture(grid: Grid) -> str:
    """Return a screen as SVG, without rich's font faces: a browser would fetch them."""
    console = Console(
        file=io.StringIO(), record=True, width=len(grid[0]), force_terminal=True, _environ={}
    )
    for cells in grid:
        runs = groupby((cell for cell in cells if cell[0]), key=_style_of)
        segments = [
            Segment(text, style)
            for style, run in runs
            for text in _BLANKS.split("".join(text for text, _ in run))
        ]
        console.print(Segments([*segments, Segment.line()]), end="")
    svg = console.export_svg(title="bpfexit top", theme=DIMMED_MONOKAI, unique_id="top")
    head, _, rest = svg.partition("@font-face")
    return head + rest[rest.index(".top-matrix") :]


def _style_of(cell: Cell) -> Style:
    return cell[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
