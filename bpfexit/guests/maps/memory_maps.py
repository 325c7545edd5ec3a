"""The guests' own memory maps, by QMP or libvirt: read at first sight, and again now and then.

A guest's map changes when its firmware places the devices, when it is rebooted and
when a device is plugged in. Each reading stops QEMU's main loop for a millisecond
or so, hence the pause between two, which doubles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bpfexit.errors import BpfexitError
from bpfexit.events.region import Region
from bpfexit.guests.guests import Mapped
from bpfexit.guests.maps import libvirt, qmp
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.model.guest import Guest, Layer

FIRST_PAUSE_S = 10.0
"""From the first reading to the second: the firmware has placed the devices by then."""

LONGEST_PAUSE_S = 640.0

Regions = tuple[Region, ...]


@dataclass
class _Map:
    """What was read of one guest, how to read it again (None: never), and when that is due."""

    mapped: Mapped = ((), None)
    again: Callable[[], Regions] | None = None
    pause_s: float = FIRST_PAUSE_S
    due: float = 0.0


class MemoryMaps:
    """Answers for a guest with its memory map, empty where nobody knows it.

    Every failure is told once, in one line, and the guest does without.
    """

    def __init__(
        self,
        sources: MapSources,
        tell: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sockets = sources.sockets
        self._with_libvirt = sources.libvirt
        self._tell = tell
        self._clock = clock
        self._maps: dict[tuple[int, str], _Map] = {}

    def begin(self, guests: Sequence[Guest], others: Container[int] = ()) -> None:
        """Read those of the guests that run now, all at once; `others` run, too, but do not matter.

        A socket that says whose it is waits for that guest; another one is asked here or never.
        """
        missing = [
            each for each in self._sockets if each.guest and not any(map(each.is_of, guests))
        ]
        for each in missing:
            self._tell(f"--qmp: no guest {each.guest!r} runs now; it is asked as soon as it does")
        self._read(guests, [each for each in self._sockets if each not in missing], others)

    def __call__(self, guest: Guest) -> Mapped:
        """Return what is known of a guest, reading what is new or due."""
        known = self._maps.get((guest.pid, guest.name))
        if known is None:
            self._read([guest], [each for each in self._sockets if each.is_of(guest)])
        elif known.again and known.due <= self._clock():
            self._refresh(known, known.again)
        return self._maps[guest.pid, guest.name].mapped

    def forget(self, guest: Guest) -> None:
        """Drop what is known of a guest that has ended."""
        self._maps.pop((guest.pid, guest.name), None)

    def _read(
        self, guests: Sequence[Guest], sockets: Sequence[Socket], others: Container[int] = ()
    ) -> None:
        found = {guest.pid: _Map() for guest in guests}
        for socket, answer in zip(sockets, qmp.ask(sockets), strict=True):
            if isinstance(answer, BpfexitError):
                self._tell(str(answer))
            elif guest := self._owner(socket, answer, guests, others):
                again = partial(_asked_again, socket)
                found[guest.pid] = _Map((answer.regions, Layer.QMP), again)
        if self._with_libvirt:
            nameless = [guest for guest in guests if not found[guest.pid].again]
            found.update(self._by_libvirt(nameless))
        for guest in guests:
            self._maps[guest.pid, guest.name] = found[guest.pid]
            found[guest.pid].due = self._clock() + FIRST_PAUSE_S

    def _owner(
        self,
        socket: Socket,
        answer: qmp.Answer,
        guests: Sequence[Guest],
        others: Container[int],
    ) -> Guest | None:
        """Return whose socket it is: as the user says, else as the socket or QEMU does."""
        if socket.guest:
            owners = [guest for guest in guests if socket.is_of(guest)]
        elif answer.pid in others:
            owners = []
        else:
            # Libvirt makes the sockets of its guests, so the process may be libvirt's.
            owners = [guest for guest in guests if guest.pid == answer.pid] or [
                guest for guest in guests if answer.name in ("", guest.name)
            ]
        if len(owners) == 1:
            return owners[0]
        what = "none" if not owners else f"{len(owners)}"
        self._tell(
            f"--qmp {socket.path}: {what} of the guests that are watched fits it: "
            "say whose it is with --qmp GUEST=PATH, by name or process"
        )
        return None

    def _by_libvirt(self, guests: Sequence[Guest]) -> Iterator[tuple[int, _Map]]:
        try:
            domains = libvirt.domains() if guests else {}
        except BpfexitError as error:
            self._tell(str(error))
            return
        for guest in guests:
            if uuid := domains.get(guest.name):
                again = partial(libvirt.memory_map, uuid)
                try:
                    yield guest.pid, _Map((again(), Layer.LIBVIRT), again)
                except BpfexitError as error:
                    self._tell(str(error))

    def _refresh(self, known: _Map, again: Callable[[], Regions]) -> None:
        """Read once more; the same tuple stays while nothing has changed."""
        known.pause_s = min(2 * known.pause_s, LONGEST_PAUSE_S)
        known.due = self._clock() + known.pause_s
        before, layer = known.mapped
        try:
            regions = again()
        except BpfexitError as error:
            self._tell(f"{error}; its names stay those of the last time")
            known.again = None
            return
        if regions != before:
            known.mapped = (regions, layer)


def _asked_again(socket: Socket) -> Regions:
    (answer,) = qmp.ask([socket])
    if isinstance(answer, BpfexitError):
        raise answer
    return answer.regions
