"""What the live screen shows: a state that keys change. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bpfexit.events.registry import VIEWS
from bpfexit.model.columns import is_by_vcpu_time
from bpfexit.model.grouping import GroupKey
from bpfexit.model.scope import EVERYTHING, Part, Scope
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import ADDRESS_KINDS, Query, default_dimensions

_ADDRESSES = tuple(view.kind.dimension for view in VIEWS if view.is_default)
_REASONS = default_dimensions(has_exit_events=True)


@dataclass(frozen=True)
class Tab:
    """A view by its title; an overview of a guest begins with its vCPUs."""

    title: str
    by: tuple[str, ...]
    with_vcpus: bool = False


GUESTS = Tab("guests", ("vm",))
REASONS = Tab("reasons", _REASONS)
_ACCESSES = Tab("accesses", _ADDRESSES)
_OVERVIEW = Tab("overview", _REASONS, with_vcpus=True)
_OVERVIEW_OF_ACCESSES = Tab("overview", _ADDRESSES, with_vcpus=True)
_VCPUS = (Tab("vCPUs", ("vcpu",)), Tab("vCPU reasons", ("vcpu", "reason")))
_EACH_ADDRESS = tuple(Tab(dimension, (dimension,)) for dimension in _ADDRESSES)


@dataclass(frozen=True)
class Cursor:
    """The selected line: what it is about, and where it was last; `top` is the first line shown.

    Without a key it is the line at that place, whatever it is about.
    """

    key: GroupKey | None = None
    place: int = 0
    top: int = 0


@dataclass(frozen=True)
class Level:
    """A step of the path: what was opened, and what is shown of it.

    Until a key has chosen a tab, the state does. `picks` is a list of guests to pick one from,
    `helps` the help.
    """

    scope: Scope = EVERYTHING
    title: str = "all guests"
    tab: int | None = None
    cursor: Cursor = field(default_factory=Cursor)
    picks: bool = False
    helps: bool = False


@dataclass(frozen=True)
class State:
    """One moment of the live screen."""

    interval: float
    own: Tab | None = None  # the grouping of --by
    sort: str = "time"
    guests_sort: str = "away"
    columns: tuple[str, ...] = ()  # those chosen; empty: as many as fit
    base: Query = field(default_factory=Query)  # its grouping and order are left to the state
    has_exit_events: bool = True
    views: tuple[str, ...] = ()  # the opt-in views that are attached, or recorded
    replay: bool = False  # a recording can be stepped, and has its own intervals
    chosen: bool = False  # only some guests are counted
    levels: tuple[Level, ...] = (Level(),)
    several: bool = False  # more than one guest has been seen
    text: str = ""  # the filter
    with_addresses: bool = True
    paused: bool = False
    steps: int = 0  # intervals to show one by one while paused
    go_to: int | None = None  # the interval of a recording to show next, from 1
    total: bool = False
    prompt: str = ""  # the key of the open prompt; "" if there is none
    typed: str = ""
    before: str = ""  # what the prompt's answer was before it was opened
    message: str = ""
    reset: bool = False
    measure: bool = False  # the cost of bpfexit itself, in the next interval
    repaint: bool = False
    suspend: bool = False
    quit: bool = False

    @property
    def level(self) -> Level:
        """The end of the path, which is shown."""
        return self.levels[-1]

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The views that there are at this level."""
        scope = self.level.scope
        if self.level.picks:
            return (GUESTS,)
        reasons = REASONS if self.has_exit_events else _ACCESSES
        if scope.vcpu is not None:
            found: tuple[Tab, ...] = (reasons, *_EACH_ADDRESS)
        elif scope.is_guest:
            overview = _OVERVIEW if self.has_exit_events else _OVERVIEW_OF_ACCESSES
            found = (overview, *_VCPUS, *_EACH_ADDRESS)
        else:
            of_guests = Tab("guest reasons", ("vm", "reason"))
            first = (reasons, GUESTS) if scope.reason_class else (GUESTS, reasons)
            found = (*first, of_guests, *_VCPUS, *_EACH_ADDRESS)
        found = (*found, *(Tab(view, (view,)) for view in self.views))
        if not self.has_exit_events:
            found = tuple(tab for tab in found if "reason" not in tab.by)
        own = self._own_within
        return (*found, own) if own and own.by not in [tab.by for tab in found] else found

    @property
    def _own_within(self) -> Tab | None:
        """The grouping of --by, without what all lines at this level have in common."""
        scope = self.level.scope
        fixed = {"vm": scope.is_guest, "vcpu": scope.vcpu is not None, "class": scope.reason_class}
        by = tuple(name for name in self.own.by if not fixed.get(name)) if self.own else ()
        return Tab(", ".join(by), by) if by else None

    @property
    def tab_place(self) -> int:
        """Which of the tabs is shown."""
        tabs, place = self.tabs, self.level.tab
        if place is not None:
            return min(place, len(tabs) - 1)
        if len(self.levels) > 1:
            return 0
        if self.own:
            return [tab.by for tab in tabs].index(self.own.by)
        return 0 if self.several else 1

    @property
    def tab(self) -> Tab:
        """The view that is shown."""
        return self.tabs[self.tab_place]

    @property
    def part(self) -> Part:
        """The part of the snapshots that is shown."""
        return Part(self.level.scope, self.text)

    def query(self, by: tuple[str, ...]) -> Query:
        """Return what is shown of it, grouped by some dimensions."""
        if not self.with_addresses and "reason" in by:
            by = tuple(name for name in by if name not in _ADDRESSES)
        return replace(self.base, by=by, sort=self.sort_of(by))

    def sort_of(self, by: tuple[str, ...]) -> str:
        """Return the column that sorts the lines of a grouping: guests have one of their own."""
        return self.guests_sort if is_by_vcpu_time(by) else self.sort

    def sorted_by(self, column: str) -> State:
        """Return the state with the lines that are shown sorted by another column."""
        if is_by_vcpu_time(self.tab.by):
            return replace(self, guests_sort=column)
        return replace(self, sort=column)

    def at(self, cursor: Cursor) -> State:
        """Return the state with another selected line."""
        return self.with_level(replace(self.level, cursor=cursor))

    def with_level(self, level: Level) -> State:
        """Return the state with another end of the path."""
        return replace(self, levels=(*self.levels[:-1], level))


def first_state(
    query: Query,
    interval: float,
    *,
    own_by: bool = False,
    has_exit_events: bool = True,
    replay: bool = False,
    chosen: bool = False,
    columns: tuple[str, ...] = (),
) -> State:
    """Return the first state; `own_by` tells that the query's grouping was asked for."""
    title = ", ".join(query.by)
    return State(
        interval,
        own=Tab(title, query.by) if own_by else None,
        sort=query.sort,
        guests_sort="away" if has_exit_events else "rate",
        columns=columns,
        base=replace(query, limit=0),
        has_exit_events=has_exit_events,
        replay=replay,
        chosen=chosen,
    )


def seen(state: State, snapshot: Snapshot) -> State:
    """Return the state after a snapshot, with the views that are in it.

    With more than one guest, the first view is by guest.
    """
    known = dict.fromkeys((*state.views, *snapshot.origin.views))
    if len(known) > len(state.views):
        state = replace(state, views=tuple(name for name in ADDRESS_KINDS if name in known))
    seen_guests = len(set(snapshot.vcpus[["vm", "pid"]].tolist()))
    if state.several or seen_guests + len(snapshot.without_vcpus) < 2:
        return state
    return replace(state, several=True)
