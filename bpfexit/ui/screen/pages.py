"""What a state shows of the snapshots: the lines above, the body, the lines below. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from bpfexit.model.history import History
from bpfexit.model.scope import Part, Scope
from bpfexit.model.snapshot import Snapshot
from bpfexit.ui.screen.body import Body
from bpfexit.ui.screen.help import help_heading, help_lines
from bpfexit.ui.screen.listing import Listing, Look
from bpfexit.ui.screen.paragraphs import Paragraphs
from bpfexit.ui.screen.sections import Sections
from bpfexit.ui.screen.state import State


@dataclass(frozen=True)
class Data:
    """What there is to show: the snapshot of the interval or of the whole run, and those before.

    `position` is the interval of a recording, from 1; `intervals` how many there are, 0 if
    that is not known.
    """

    snapshot: Snapshot | None = None
    history: History = field(default_factory=History)
    position: int = 0
    intervals: int = 0
    ended: bool = False


def shown_part(state: State, data: Data) -> Snapshot | None:
    """Return the part of the snapshot that the state shows."""
    return state.part.of(data.snapshot) if data.snapshot else None


def body(state: State, snapshot: Snapshot | None, data: Data, width: int) -> Body:
    """Return what the screen shows between the lines above and below.

    `snapshot` has the shown part alone.
    """
    if state.level.helps:
        return Paragraphs(help_heading(width), list(help_lines(state.replay, width)))
    if snapshot is None or data.snapshot is None:
        return Paragraphs([], [])
    if state.level.scope.is_exits:
        from bpfexit.ui.screen.detail import Exits, detail  # noqa: PLC0415 - late: the rules load slowly

        guest = Scope(vm=state.level.scope.vm, pid=state.level.scope.pid)
        whole = Part(guest).of(data.snapshot)
        return detail(Exits(snapshot, whole, state.part, state.base), data.history, width)
    look = Look(state.part, data.history, width, state.columns)
    tab = state.tab
    lists = [("vcpu",)] * tab.with_vcpus + [tab.by]
    listings = [Listing(snapshot, state.query(by), look) for by in lists]
    listings = [each for each in listings if len(each)] or listings[-1:]
    return listings[0] if len(listings) == 1 else Sections(listings)
