"""A part of a snapshot: what a line of a view is about, or what a text matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from bpfexit.events.kind import NO_KIND
from bpfexit.model.address_names import PLACE, AddressName, AddressNames
from bpfexit.model.classes import with_classes
from bpfexit.model.grouping import GroupKey
from bpfexit.model.guest import Guest
from bpfexit.model.lines import Line, about
from bpfexit.model.rows import group_indexes
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.threads import Mask, Threads
from bpfexit.names.reason_classes import CLASSES

_OF_VCPU = ("pid", "tid", "vcpu")
"""The numbers that rows and vCPUs both have."""

Matches = Callable[[str], bool]


@dataclass(frozen=True)
class Scope:
    """The exits of one line: those that agree with its fields; None agrees with everything.

    `with_reason` tells that the reason counts, also one that is not known.
    """

    vm: str | None = None
    pid: int | None = None
    tid: int | None = None
    vcpu: int | None = None
    reason_class: str | None = None
    reason: str | None = None
    with_reason: bool = False
    address: GroupKey | None = None

    def opened(self, line: Line, by: Iterable[str]) -> Scope:
        """Return what a line within this scope is about; `by` is what its view groups by."""
        of_reason = "reason" in by and not line.kind
        return Scope(
            vm=self.vm if line.vm is None else line.vm,
            pid=self.pid if line.pid is None else line.pid,
            tid=self.tid if line.tid is None else line.tid,
            vcpu=self.vcpu if line.vcpu is None else line.vcpu,
            reason_class=line.reason_class or self.reason_class,
            reason=line.reason if "reason" in by else self.reason,
            with_reason=of_reason or self.with_reason,
            address=about(line) if line.kind else self.address,
        )

    @property
    def is_exits(self) -> bool:
        """Whether it is about exits of one kind, not about guests or vCPUs alone."""
        return self.with_reason or self.address is not None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is about all guests."""
        return self.pid is None and self.tid is None

    @property
    def is_guest(self) -> bool:
        """Whether it is about one guest, or a part of it."""
        return self.pid is not None


EVERYTHING = Scope()


@dataclass(frozen=True)
class Part:
    """What is shown of snapshots: a scope, and of that what a text matches."""

    scope: Scope = EVERYTHING
    text: str = ""

    def of(self, snapshot: Snapshot) -> Snapshot:
        """Return this part of a snapshot. Raises `re.error`."""
        return matching(narrowed(snapshot, self.scope), self.text)


def narrowed(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """Return the part of a snapshot that a scope is about."""
    if scope == EVERYTHING:
        return snapshot
    only = (scope.reason_class,) if scope.reason_class else snapshot.only
    names = scope.vm.__eq__ if scope.vm is not None else None
    pids, tids, vcpus = map(_only, (scope.pid, scope.tid, scope.vcpu))
    threads = Threads(pids, tids, vcpus, names)
    return replace(threads.part(snapshot, _of_exits(snapshot, scope)), only=only)


def _only(number: int | None) -> tuple[int, ...]:
    return () if number is None else (number,)


def _of_exits(snapshot: Snapshot, scope: Scope) -> Mask:
    rows = snapshot.rows
    keep = np.ones(len(rows), bool)
    if scope.with_reason or scope.reason is not None:
        known = [name == scope.reason for name in snapshot.reasons]
        keep &= np.array([*known, scope.reason is None], bool)[rows["reason"]]
    if scope.address is not None:
        keep &= rows["kind"] == int(scope.address.kind)
        keep &= rows["access"] == int(scope.address.access)
        keep &= rows["address"] == np.uint64(scope.address.address or 0)
    if scope.reason_class is not None:
        classes = with_classes(rows, snapshot.reasons)["class"]
        keep &= classes == CLASSES.index(scope.reason_class)
    return keep


def matching(snapshot: Snapshot, text: str) -> Snapshot:
    """Return the part of a snapshot that a text matches: the guests, reasons and addresses.

    A text between slashes is a regular expression. Raises `re.error`. Of guests whose name
    does not match, `only` of the result tells that not all exits are there.
    """
    if not text:
        return snapshot
    matches = matcher(text)
    of_guest = np.array([matches(name) for name in snapshot.vms] + [False], bool)
    keep, seen = of_guest[snapshot.rows["vm"]], of_guest[snapshot.vcpus["vm"]]
    if not seen.all():
        keep = keep | _exits_matching(snapshot, matches)
    is_part = bool(np.any(keep & ~of_guest[snapshot.rows["vm"]]))
    part = replace(
        snapshot,
        rows=snapshot.rows.chosen(keep),
        vcpus=snapshot.vcpus[seen | _have_exits(snapshot, keep)],
        only=(text,) if is_part else snapshot.only,
        usage=snapshot.usage.where(lambda guest: matches(guest.vm)),
    )
    return replace(part, guests=_named(part, matches))


def _named(snapshot: Snapshot, matches: Matches) -> tuple[Guest, ...]:
    """Return the guests but those without vCPUs here whose names do not match."""
    unwanted = {guest.pid for guest in snapshot.without_vcpus if not matches(guest.name)}
    return tuple(guest for guest in snapshot.guests if guest.pid not in unwanted)


def matcher(text: str) -> Matches:
    """Return what tells whether a name has the text, or a match of /REGEX/, in any case."""
    if text.startswith("/"):
        pattern = re.compile(text[1:].removesuffix("/"), re.IGNORECASE)
        return lambda name: pattern.search(name) is not None
    wanted = text.lower()
    return lambda name: wanted in name.lower()


def _exits_matching(snapshot: Snapshot, matches: Matches) -> Mask:
    """Which rows match by their reason, their address or its name."""
    rows = snapshot.rows
    reasons = np.array([matches(name) for name in snapshot.reasons] + [False], bool)
    group_of, firsts = group_indexes(rows.fields, PLACE)
    naming = AddressNames(snapshot).name
    shown = [
        kind != NO_KIND and matches(_written(address, naming(kind, address, snapshot.vms[vm], pid)))
        for kind, address, vm, pid in rows.fields[firsts][list(PLACE)].tolist()
    ]
    found: Mask = reasons[rows["reason"]] | np.array(shown, bool)[group_of]
    return found


def _written(address: int, name: AddressName | None) -> str:
    """Return the ways in which an address is written, as a port and as anything else, and named."""
    return f"{address:#x} {address:#06x} {address:#010x} {name.text if name else ''}"


def _have_exits(snapshot: Snapshot, keep: Mask) -> Mask:
    """Which vCPUs have any of the kept rows."""
    owners = {tuple(owner) for owner in snapshot.rows.fields[keep][list(_OF_VCPU)].tolist()}
    every = snapshot.vcpus[list(_OF_VCPU)].tolist()
    return np.array([tuple(owner) in owners for owner in every], bool)
