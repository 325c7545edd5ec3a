"""Which guests have series: from when they are first seen until some time after their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count

from bpfexit.exporting.changes import Owner
from bpfexit.exporting.guest_series import GuestSeries
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest, known_guests
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean

KEPT_S = 600.0
"""How long the series of a guest stay after it ended."""


@dataclass
class Member:
    """A guest that has series, under its label; `owners` are the guests counted there."""

    label: str
    series: GuestSeries
    since: int  # the number of the reading that first saw it
    info: tuple[str, ...] = ()
    ended_at: float | None = None
    owners: set[Owner] = field(default_factory=set)


class Roster:
    """The guests that have series, of which at most `MOST_ENDED` have ended.

    A label belongs to one guest while that lives. A guest that is restarted under its name
    continues its series.
    """

    def __init__(
        self, new_series: Callable[[], GuestSeries], describe: Callable[[Guest], tuple[str, ...]]
    ) -> None:
        """`describe` returns the values of a guest's labels in `GUEST_INFO` after its name."""
        self._new_series = new_series
        self._describe = describe
        self._members: dict[str, Member] = {}
        self._of: dict[Owner, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def of(self, owner: Owner) -> Member | None:
        """Return the member to which a guest's counts belong."""
        return self._of.get(owner)

    def update(self, snapshot: Snapshot, reading: int, now: float) -> None:
        """Add new guests, note ended ones, and forget those that ended long ago; `now` in s."""
        living = {Owner(guest.pid, guest.name) for guest in snapshot.guests if not guest.ended}
        counted = dict.fromkeys(_counted(snapshot))
        for member in self._members.values():
            alive = bool(member.owners & living)
            member.ended_at = None if alive else (member.ended_at or now)
        guest_of = known_guests(snapshot.guests)
        ended = (owner for owner in counted if owner not in living)
        # The ended ones first: one that came and went leaves its label to the next of its name.
        for owner in chain(ended, sorted(living)):
            if owner not in self._of:
                ended_at = None if owner in living else now
                self._join(owner, guest_of(*owner), reading, ended_at)
        self._forget(now)
        self._forget_owners(
            {*counted, *(Owner(guest.pid, guest.name) for guest in snapshot.guests)}
        )

    def _join(self, owner: Owner, guest: Guest, reading: int, ended_at: float | None) -> None:
        label = next(name for name in _labels(owner) if self._is_free(name))
        member = self._members.get(label) or Member(label, self._new_series(), reading)
        member.owners.add(owner)
        member.info = self._describe(guest)
        member.ended_at = ended_at
        self._members[label] = self._of[owner] = member

    def _is_free(self, label: str) -> bool:
        member = self._members.get(label)
        return member is None or member.ended_at is not None

    def _forget(self, now: float) -> None:
        ended = [member for member in self._members.values() if member.ended_at is not None]
        ended.sort(key=lambda member: member.ended_at or 0)
        late = [member for member in ended if now - (member.ended_at or 0) >= KEPT_S]
        for member in late or ended[: max(0, len(ended) - MOST_ENDED)]:
            del self._members[member.label]
            for owner in member.owners:
                del self._of[owner]

    def _forget_owners(self, known: set[Owner]) -> None:
        """Forget processes of which nothing more can be counted; their series stay."""
        for owner in self._of.keys() - known:
            self._of.pop(owner).owners.discard(owner)


def _counted(snapshot: Snapshot) -> Iterator[Owner]:
    """Yield the guests that have rows or vCPUs."""
    for array in (snapshot.rows.fields, snapshot.vcpus):
        pairs = set(array[["vm", "pid"]].tolist())
        yield from (Owner(pid, snapshot.vms[vm]) for vm, pid in sorted(pairs))


def _labels(owner: Owner) -> Iterator[str]:
    """Yield labels for a guest, the best first."""
    name = clean(owner.name)
    yield name
    yield f"{name} ({owner.pid})"
    yield from (f"{name} ({owner.pid}) #{number}" for number in count(2))
