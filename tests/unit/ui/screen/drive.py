"""A live screen without a terminal: keys and snapshots in, cells out."""

import io

from rich.console import Console

from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.screen.cells import Grid, Size, texts
from bpfexit.ui.screen.scrolling import window
from bpfexit.ui.screen.state import State, first_state

LARGE = Size(120, 40)


class Driver:
    """Draws a live screen after each key and snapshot, as pure cells."""

    def __init__(
        self, *snapshots: Snapshot, size: Size = LARGE, state: State | None = None
    ) -> None:
        self.console = Console(file=io.StringIO(), force_terminal=True, _environ={})
        self.resize(size)
        self.screen = LiveScreen(state or first_state(Query(), 1.0), self.console, SnapshotSum)
        self.screen.begin(None)
        self.add(*snapshots)

    def resize(self, size: Size) -> None:
        self.console.size = (size.width, size.height)

    def add(self, *snapshots: Snapshot) -> None:
        for snapshot in snapshots:
            self.screen.add(snapshot)

    def press(self, *keys: str) -> "Driver":
        for key in keys:
            self.screen.press([key])
        return self

    def type(self, text: str) -> "Driver":
        return self.press(*text)

    @property
    def state(self) -> State:
        return self.screen.state

    def grid(self) -> Grid:
        return self.screen.grid()

    def lines(self) -> list[str]:
        return texts(self.grid())

    def text(self) -> str:
        return "\n".join(self.lines())

    def selected(self) -> str | None:
        """Return the text of the selected line, which is on the screen and reverse."""
        page = self.screen._page()
        at = window(self.state.level.cursor, page.body, page.around.rows)
        if not page.body.selects or not len(page.body):
            return None
        cells = self.grid()[len(page.around.above) + 1 + at.selected - at.top]
        assert all(style.reverse for _, style in cells)
        return texts([cells])[0]
