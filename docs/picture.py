"""Draw the live screen of a recording as SVG: `python docs/picture.py RECORDING PICTURE`."""

import io
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from bpfexit.model.filter import Filter
from bpfexit.model.view import Query, view
from bpfexit.recording.total import total
from bpfexit.ui.header import header
from bpfexit.ui.tables import table

WIDTH = 124
_FONTS_END = ".{unique_id}-matrix"


def main(recording: Path, picture: Path) -> None:
    """Draw all of the recording as one screen."""
    snapshot = total(recording, Filter()).snapshot
    query = Query(by=("vm", "reason", "port", "mmio", "msr"), limit=18)
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True)
    console.print(header(snapshot))
    console.print(table(view(snapshot, query), WIDTH))
    # Without rich's font faces, which a browser would fetch from elsewhere.
    head, _, rest = CONSOLE_SVG_FORMAT.partition("@font-face")
    form = head + _FONTS_END + rest.partition(_FONTS_END)[2]
    svg = console.export_svg(title="bpfexit top", theme=DIMMED_MONOKAI, code_format=form)
    picture.write_text(svg)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
