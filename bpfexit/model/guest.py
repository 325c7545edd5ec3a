"""What is known of a guest beside its exits: its name, its machine, what lies at its addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from bpfexit.events.region import Region


class NameSource(StrEnum):
    """Who says what lies at an address: that guest's own memory map, or the platform's."""

    QMP = "qmp"
    LIBVIRT = "libvirt"
    PLATFORM = "platform"


class Identity(NamedTuple):
    """Which process: its number may be that of another one after it.

    `started` is when it began, ns since boot; 0 where that is not known.
    """

    pid: int
    started: int = 0


@dataclass(frozen=True)
class Guest:
    """A guest by its process. All text is the guest owner's: not to be trusted.

    `named_by` says which reader found the name, `vmm` which program runs it; both
    are empty where that is not known. `options` are those of QEMU's command line
    that say what machine the guest has, as (option without its dash, value), in
    order; never one that may hold a secret. `regions` are the guest's own memory
    map, in order of kind and address, and `mapped_by` who gave it. `manager` is what
    started the program (`libvirt`, `proxmox`), "" where that is not known. `cpu_quota`
    is how many CPUs its cgroup may use, 0 without a limit, None where not known.
    """

    pid: int
    name: str
    named_by: str = ""
    vmm: str = ""
    options: tuple[tuple[str, str], ...] = ()
    regions: tuple[Region, ...] = ()
    mapped_by: NameSource | None = None
    ended: bool = False
    manager: str = ""
    cpu_quota: float | None = None

    @cached_property
    def size(self) -> int:
        """Bytes of memory that it takes, roughly, without its memory map."""
        words = (word for option in self.options for word in option)
        text = (self.name, self.named_by, self.vmm, self.manager, *words)
        return _GUEST + _WORD * len(text) + sum(map(len, text))


_GUEST, _WORD, _REGION = 400, 60, 200
"""Bytes that one takes beside its text."""


def map_size(regions: Iterable[Region]) -> int:
    """Return the bytes of memory that a memory map takes, roughly."""
    return sum(_REGION + len(each.name) for each in regions)


def guests_size(guests: Iterable[Guest]) -> int:
    """Return the bytes that guests take, roughly; those of the same memory map share it."""
    guests = tuple(guests)
    maps = {id(guest.regions): guest.regions for guest in guests}
    return sum(guest.size for guest in guests) + sum(map(map_size, maps.values()))


KnownGuests = Callable[[int, str], Guest]
"""Gives the guest of a process and a name."""


def known_guests(guests: Iterable[Guest]) -> KnownGuests:
    """Return what finds one of these guests: a PID may have been that of several, by name.

    One of no such name is the process's last; of an unknown process nothing but that is known.
    """
    by_name = {(guest.pid, guest.name): guest for guest in guests}
    last = {guest.pid: guest for guest in by_name.values()}
    return lambda pid, name: by_name.get((pid, name)) or last.get(pid) or Guest(pid, name)


def newcomers(guests: tuple[Guest, ...], before: tuple[Guest, ...]) -> list[Guest]:
    """Return the guests that are not the same objects as before: nearly always none, or few."""
    if guests is before:
        return []
    by_id = dict(zip(map(id, guests), guests, strict=True))
    return [by_id[each] for each in by_id.keys() - set(map(id, before))]
