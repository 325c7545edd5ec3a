"""Names of addresses, from the guests' memory maps or the built-in map of the platform."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import starmap
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.events.registry import VIEWS
from bpfexit.events.rip import RIP
from bpfexit.model.guest import Guest, KnownGuests, NameSource, known_guests
from bpfexit.model.platform import described, platform, region_at
from bpfexit.model.rows import grouped
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.symbols import NO_SYMBOLS, GuestSymbols

MOST_NAMES = 3
"""Maximum names of one address if guests differ; an ellipsis stands for the others."""

PLACE = ("kind", "address", "vm", "pid")
"""The fields of a row that its address's name depends on."""

_DESCRIBED = {view.kind: view.describe for view in VIEWS if view.describe}

_GUESSED = frozenset(view.kind for view in VIEWS if view.is_platform)

_FIRMEST = (NameSource.QMP, NameSource.LIBVIRT, NameSource.SYMBOLS, NameSource.PLATFORM)


@dataclass(frozen=True)
class AddressName:
    """The name of an address, and its source.

    If guests differ, their names are joined with `|`, and the source is the least certain one.
    `is_guess`: the name is that of a usual PC, because the guest's own map is unknown; MSRs are the
    same on every guest. The text may come from a guest's owner and is not trusted.
    """

    text: str
    source: NameSource
    is_guess: bool = False

    @property
    def marked(self) -> str:
        """The text, with a question mark if it is a guess."""
        return self.text + "?" * self.is_guess


def address_name(
    kind: Kind, address: int, guests: Iterable[Guest] = (), symbols: GuestSymbols = NO_SYMBOLS
) -> AddressName | None:
    """Return the name of a port, GPA, MSR or instruction in these guests; None if unknown."""
    names = [_name(kind, address, guest, symbols) for guest in guests]
    return joined_name(names or [_platform_name(kind, address)])


def joined_name(names: Iterable[AddressName | None]) -> AddressName | None:
    """Return one name that stands for all of these; None if all are None."""
    known = [name for name in names if name]
    if not known:
        return None
    texts = list(dict.fromkeys(name.text for name in known))
    more = ["…"] if len(texts) > MOST_NAMES else []
    source = max((name.source for name in known), key=_FIRMEST.index)
    is_guess = any(name.is_guess for name in known)
    return AddressName("|".join([*texts[:MOST_NAMES], *more]), source, is_guess)


def _name(kind: Kind, address: int, guest: Guest, symbols: GuestSymbols) -> AddressName | None:
    if kind == RIP and (symbol := symbols.name(guest, address)):
        return AddressName(symbol, NameSource.SYMBOLS)
    own = region_at(guest.regions, kind, address) if guest.mapped_by else None
    if own and guest.mapped_by:
        return AddressName(described(own, address), guest.mapped_by)
    return _platform_name(kind, address, guest.vmm)


@lru_cache(4096)
def _platform_name(kind: Kind, address: int, vmm: str = "") -> AddressName | None:
    if kind in _DESCRIBED:
        text = _DESCRIBED[kind](address)
        return AddressName(text, NameSource.PLATFORM) if text else None
    region = region_at(platform(vmm), kind, address)
    if region is None:
        return None
    return AddressName(described(region, address), NameSource.PLATFORM, is_guess=kind in _GUESSED)


def slow_exit_name(slow_exit: SlowExit, guest_of: KnownGuests) -> AddressName | None:
    """Return the name of a slow exit's address in its guest; None if it is unknown."""
    if slow_exit.address is None:
        return None
    return address_name(slow_exit.kind, slow_exit.address, [guest_of(slow_exit.pid, slow_exit.vm)])


class AddressNames:
    """Names the addresses of a snapshot's rows, by the maps of the guests that accessed them.

    A guest that never accessed an address does not affect its name.
    """

    def __init__(self, snapshot: Snapshot, symbols: GuestSymbols = NO_SYMBOLS) -> None:
        self._symbols = symbols
        self._guest = known_guests(snapshot.guests)
        self._vms = snapshot.vms
        self._fields = snapshot.rows.fields

    def name(
        self, kind: Kind, address: int, vm: str | None = None, pid: int | None = None
    ) -> AddressName | None:
        """Return the name of an address in the guests that accessed it, or in those named `vm`.

        With `pid`, it is the name in that guest, which must have accessed it.
        """
        if vm is not None and pid is not None:
            return address_name(kind, address, [self._guest(pid, vm)], self._symbols)
        users = [
            (user_pid, self._vms[user_vm])
            for user_vm, user_pid in self._users(kind, address)
            if vm in (None, self._vms[user_vm])
        ]
        guests = starmap(self._guest, users)
        return address_name(kind, address, guests, self._symbols) if users else None

    def _users(self, kind: Kind, address: int) -> list[list[int]]:
        """Return the guests that accessed an address: `vm` and `pid` of each."""
        of_kind = self._places.get(int(kind))
        if of_kind is None:
            return []
        addresses, users = of_kind
        first, end = (addresses.searchsorted(np.uint64(address), side) for side in _SIDES)
        owners: list[list[int]] = users[first:end].tolist()
        return owners

    @cached_property
    def _places(self) -> dict[int, tuple[NDArray[np.uint64], NDArray[np.uint32]]]:
        """Return by kind the addresses, ascending, shape (n,), and their guests, shape (n, 2)."""
        order, begins = grouped(self._fields, PLACE)
        kinds, addresses, *users = (self._fields[name][order[begins]] for name in PLACE)
        who = np.stack(users, axis=1)
        kinds_with_masks = ((kind, kinds == kind) for kind in np.unique(kinds).tolist())
        return {kind: (addresses[mask], who[mask]) for kind, mask in kinds_with_masks}


_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
