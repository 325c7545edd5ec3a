"""A guest: its name, its machine and its memory map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from bpfexit.events.region import Region


class NameSource(StrEnum):
    """The source of an address's name: the guest's own map or symbols, or the built-in map."""

    QMP = "qmp"
    LIBVIRT = "libvirt"
    SYMBOLS = "symbols"
    PLATFORM = "platform"


class Identity(NamedTuple):
    """Identifies a process, because its PID may be reused.

    `started` is its start time, ns since boot; 0 if unknown.
    """

    pid: int
    started: int = 0


@dataclass(frozen=True)
class Guest:
    """A guest, identified by its process. All text is the guest owner's and not trusted.

    `named_by` is the reader that found the name, `vmm` the program that runs the guest; both are ""
    if unknown. `options` are the options of QEMU's command line that describe the machine, as
    (option without its dash, value), in order, without secrets. `regions` are the guest's own
    memory map, in order of kind and address, and `mapped_by` is its source. `manager` is what
    started the program (`libvirt`, `proxmox`), "" if unknown. `cpu_quota` is how many CPUs its
    cgroup may use, 0 without a limit, None if unknown.
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
        """Approximate bytes of memory, without the memory map."""
        words = (word for option in self.options for word in option)
        text = (self.name, self.named_by, self.vmm, self.manager, *words)
        return _GUEST + _WORD * len(text) + sum(map(len, text))


_GUEST, _WORD, _REGION = 400, 60, 200
"""Bytes that one takes beside its text."""


def map_size(regions: Iterable[Region]) -> int:
    """Return the approximate bytes of a memory map."""
    return sum(_REGION + len(region.name) for region in regions)


def guests_size(guests: Iterable[Guest]) -> int:
    """Return the approximate bytes of guests; a memory map that several share counts once."""
    guests = tuple(guests)
    maps = {id(guest.regions): guest.regions for guest in guests}
    return sum(guest.size for guest in guests) + sum(map(map_size, maps.values()))


KnownGuests = Callable[[int, str], Guest]
"""Returns the guest of a process with a name."""


def known_guests(guests: Iterable[Guest]) -> KnownGuests:
    """Return a function that finds one of these guests by PID and name.

    A PID may have been that of several guests. For an unknown name it returns the last guest of the
    process, for an unknown process a guest without facts.
    """
    by_name = {(guest.pid, guest.name): guest for guest in guests}
    last = {guest.pid: guest for guest in by_name.values()}
    return lambda pid, name: by_name.get((pid, name)) or last.get(pid) or Guest(pid, name)


def newcomers(guests: tuple[Guest, ...], before: tuple[Guest, ...]) -> list[Guest]:
    """Return the guests that are not the same objects as before: mostly none."""
    if guests is before:
        return []
    by_id = dict(zip(map(id, guests), guests, strict=True))
    return [by_id[key] for key in by_id.keys() - set(map(id, before))]
