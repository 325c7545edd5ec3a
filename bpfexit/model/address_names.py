"""Names of addresses, and who says so: the guests' own memory maps, behind them the platform's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import starmap
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.model.guest import Guest, KnownGuests, NameSource, known_guests
from bpfexit.model.platform import described, platform, region_at
from bpfexit.model.rows import grouped
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import Snapshot

MOST_NAMES = 3
"""So many names of one address are told where guests differ; more end in an ellipsis."""

PLACE = ("kind", "address", "vm", "pid")
"""The fields of a row that its address's name depends on."""

_GUESSED = frozenset(view.kind for view in VIEWS if view.is_platform)

_FIRMEST = (NameSource.QMP, NameSource.LIBVIRT, NameSource.PLATFORM)


@dataclass(frozen=True)
class AddressName:
    """What lies at an address, and by which source that is known.

    Where guests differ, their names are joined with `|`, and the source is the
    weakest of theirs. `is_guess`: a guest was not asked, and a platform like this
    usually has that there; an MSR is what it is, on each. The text may be a guest
    owner's: not to be trusted.
    """

    text: str
    source: NameSource
    is_guess: bool = False

    @property
    def marked(self) -> str:
        """The text, with a question mark where it is a guess."""
        return self.text + "?" * self.is_guess


def address_name(kind: Kind, address: int, guests: Iterable[Guest] = ()) -> AddressName | None:
    """Name a port, a guest physical address or an MSR in these guests; None: not known."""
    names = [_name(kind, address, guest) for guest in guests]
    return joined_name(names or [_platform_name(kind, address)])


def joined_name(names: Iterable[AddressName | None]) -> AddressName | None:
    """Return one name for what has these; None where it has none."""
    known = [name for name in names if name]
    if not known:
        return None
    texts = list(dict.fromkeys(name.text for name in known))
    more = ["…"] if len(texts) > MOST_NAMES else []
    source = max((name.source for name in known), key=_FIRMEST.index)
    is_guess = any(name.is_guess for name in known)
    return AddressName("|".join([*texts[:MOST_NAMES], *more]), source, is_guess)


def _name(kind: Kind, address: int, guest: Guest) -> AddressName | None:
    own = region_at(guest.regions, kind, address) if guest.mapped_by else None
    if own and guest.mapped_by:
        return AddressName(described(own, address), guest.mapped_by)
    return _platform_name(kind, address, guest.vmm)


def _platform_name(kind: Kind, address: int, vmm: str = "") -> AddressName | None:
    region = region_at(platform(vmm), kind, address)
    if region is None:
        return None
    return AddressName(described(region, address), NameSource.PLATFORM, is_guess=kind in _GUESSED)


def slow_exit_name(each: SlowExit, guest_of: KnownGuests) -> AddressName | None:
    """Name what a slow exit was after, in the guest that it is of."""
    if each.address is None:
        return None
    return address_name(each.kind, each.address, [guest_of(each.pid, each.vm)])


class AddressNames:
    """Names what the rows of a snapshot are after, by the maps of those guests that were there.

    A guest that never touched an address has no say in its name.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._guest = known_guests(snapshot.guests)
        self._vms = snapshot.vms
        self._fields = snapshot.rows.fields

    def name(
        self, kind: Kind, address: int, vm: str | None = None, pid: int | None = None
    ) -> AddressName | None:
        """Name an address for all guests that were there, or for those of that name.

        With a process, it is named for that guest, which must have been there.
        """
        if vm is not None and pid is not None:
            return address_name(kind, address, [self._guest(pid, vm)])
        users = [
            (user_pid, self._vms[user_vm])
            for user_vm, user_pid in self._users(kind, address)
            if vm in (None, self._vms[user_vm])
        ]
        return address_name(kind, address, starmap(self._guest, users)) if users else None

    def _users(self, kind: Kind, address: int) -> list[list[int]]:
        """Return those who were at an address, `vm` and process each."""
        of_kind = self._places.get(int(kind))
        if of_kind is None:
            return []
        addresses, users = of_kind
        first, end = (np.searchsorted(addresses, np.uint64(address), s) for s in _SIDES)
        found: list[list[int]] = users[first:end].tolist()
        return found

    @cached_property
    def _places(self) -> dict[int, tuple[NDArray[np.uint64], NDArray[np.uint32]]]:
        """Return for each kind all addresses, ascending, and who was there, shape (n, 2)."""
        order, fresh = grouped(self._fields, PLACE)
        kinds, addresses, *users = (self._fields[name][order[fresh]] for name in PLACE)
        who = np.stack(users, axis=1)
        each = ((kind, kinds == kind) for kind in np.unique(kinds).tolist())
        return {kind: (addresses[mask], who[mask]) for kind, mask in each}


_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
