"""Memory maps through the QMP sockets that the user names: their guests and schedules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps import qmp
from bpfexit.guests.maps.board import Board
from bpfexit.guests.maps.published import GuestKey
from bpfexit.guests.maps.qmp_socket import Socket
from bpfexit.guests.maps.schedule import Schedule
from bpfexit.host.cancel import Cancel
from bpfexit.model.guest import Guest, NameSource


@dataclass
class _Source:
    """A socket, the guest that it turned out to be of, and the process that made it then."""

    socket: Socket
    owner: GuestKey | None = None
    made_by: int = 0
    schedule: Schedule = field(default_factory=Schedule)

    def may_serve(self, guest: Guest) -> bool:
        return self.socket.is_of(guest) if self.socket.guest else self.owner is None

    def is_waiting(self, guests: Iterable[Guest]) -> bool:
        """Return whether the guest that the user names is not running."""
        return bool(self.socket.guest) and not any(map(self.socket.is_of, guests))


class QmpMaps:
    """Queries the sockets that are due, in parallel; `others` are guests that are not watched."""

    def __init__(
        self,
        sockets: Sequence[Socket],
        others: Container[int],
        board: Board,
        clock: Callable[[], float],
        cancel: Cancel,
    ) -> None:
        self._sources = [_Source(socket) for socket in sockets]
        self._others = others
        self._board = board
        self._clock = clock
        self._cancel = cancel

    def waiting(self, guests: Mapping[GuestKey, Guest]) -> Iterator[str]:
        """Yield the names of guests in --qmp that are not running."""
        return (
            source.socket.guest for source in self._sources if source.is_waiting(guests.values())
        )

    def welcome(self, guests: Collection[Guest]) -> None:
        """Make sockets due that may belong to guests which have just started."""
        for source in self._sources:
            if any(map(source.may_serve, guests)):
                source.schedule = Schedule()

    def serves(self, guest: GuestKey) -> bool:
        """Return whether a socket is known to be this guest's."""
        return any(source.owner == guest for source in self._sources)

    def read(self, guests: Mapping[GuestKey, Guest]) -> None:
        """Query the sockets that are due."""
        self._release(guests)
        now = self._clock()
        due = [source for source in self._asked(guests) if source.schedule.due <= now]
        qmp.ask(
            [source.socket for source in due],
            self._cancel,
            lambda index, outcome: self._take(due[index], outcome, guests),
        )

    def due(self, guests: Mapping[GuestKey, Guest]) -> Iterator[float]:
        """Yield when each socket is due that may belong to a running guest."""
        return (source.schedule.due for source in self._asked(guests))

    def unread(self, guests: Mapping[GuestKey, Guest]) -> Iterator[str]:
        """Yield a sentence on each socket that has neither answered nor failed."""
        for source in self._asked(guests):
            if source.schedule.is_new and source.owner is None:
                yield f"--qmp {source.socket.path}: no answer before the end: {qmp.ONE_CLIENT}"

    def _release(self, guests: Mapping[GuestKey, Guest]) -> None:
        """Forget owners that have ended, and failures of sockets that wait for a guest."""
        for source in self._sources:
            if source.owner not in guests:
                source.owner = None
            if source.is_waiting(guests.values()):
                self._board.clear(source.socket)

    def _asked(self, guests: Mapping[GuestKey, Guest]) -> list[_Source]:
        return [source for source in self._sources if not source.is_waiting(guests.values())]

    def _take(
        self,
        source: _Source,
        answer: qmp.Outcome,
        guests: Mapping[GuestKey, Guest],
    ) -> None:
        """Publish an answer, or why there is none; an earlier map stays."""
        source.schedule.postpone(self._clock())
        if isinstance(answer, BpfexitError):
            kept = "; its names are those of the last answer" if source.owner else ""
            self._board.fail(source.socket, f"{answer}{kept}")
            return
        if source.owner is None or answer.pid != source.made_by:
            source.owner, source.made_by = self._owner(source.socket, answer, guests), answer.pid
        if source.owner:
            self._board.publish(source.owner, (answer.regions, NameSource.QMP))
            self._board.clear(source.socket)

    def _owner(
        self, socket: Socket, answer: qmp.Answer, guests: Mapping[GuestKey, Guest]
    ) -> GuestKey | None:
        """Return a socket's guest: from the option, or from the socket or QEMU."""
        if socket.guest:
            owners = [key for key, guest in guests.items() if socket.is_of(guest)]
        elif answer.pid in self._others:
            owners = []
        else:
            # Libvirt creates the sockets of its guests, so the process may be libvirt's.
            owners = [key for key in guests if key.pid == answer.pid] or [
                key for key in guests if answer.name in ("", key.name)
            ]
        if len(owners) == 1:
            return owners[0]
        what = "none" if not owners else f"{len(owners)}"
        self._board.fail(
            socket,
            f"--qmp {socket.path}: {what} of the watched guests fit it: "
            "name its guest with --qmp GUEST=PATH, by name or process ID",
        )
        return None
