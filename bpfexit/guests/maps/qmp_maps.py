"""Memory maps through the QMP sockets that the user names: whose each is, and when it is due."""

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
        """Say whether the guest that the user means is not running."""
        return bool(self.socket.guest) and not any(map(self.socket.is_of, guests))


class QmpMaps:
    """Asks the sockets that are due, all at once; `others` are guests that are not watched."""

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
        """Yield the names that the user gave of guests that are not running."""
        return (each.socket.guest for each in self._sources if each.is_waiting(guests.values()))

    def welcome(self, guests: Collection[Guest]) -> None:
        """Ask the sockets at once that guests which have just started may be behind."""
        for source in self._sources:
            if any(map(source.may_serve, guests)):
                source.schedule = Schedule()

    def serves(self, guest: GuestKey) -> bool:
        """Say whether a socket is known to be this guest's."""
        return any(source.owner == guest for source in self._sources)

    def read(self, guests: Mapping[GuestKey, Guest]) -> None:
        """Ask what is due."""
        self._release(guests)
        now = self._clock()
        due = [each for each in self._asked(guests) if each.schedule.due <= now]
        qmp.ask(
            [each.socket for each in due],
            self._cancel,
            lambda index, outcome: self._take(due[index], outcome, guests),
        )

    def due(self, guests: Mapping[GuestKey, Guest]) -> Iterator[float]:
        """Yield when each socket that has somebody to answer for is due."""
        return (each.schedule.due for each in self._asked(guests))

    def unread(self, guests: Mapping[GuestKey, Guest]) -> Iterator[str]:
        """Yield a sentence on each socket that has not answered for any guest, nor failed."""
        for each in self._asked(guests):
            if each.schedule.is_new and each.owner is None:
                yield f"--qmp {each.socket.path}: no answer before the end: {qmp.ONE_CLIENT}"

    def _release(self, guests: Mapping[GuestKey, Guest]) -> None:
        """Forget the owners that have ended, and what was wrong with sockets that wait for one."""
        for source in self._sources:
            if source.owner not in guests:
                source.owner = None
            if source.is_waiting(guests.values()):
                self._board.clear(source.socket)

    def _asked(self, guests: Mapping[GuestKey, Guest]) -> list[_Source]:
        return [each for each in self._sources if not each.is_waiting(guests.values())]

    def _take(
        self,
        source: _Source,
        answer: qmp.Outcome,
        guests: Mapping[GuestKey, Guest],
    ) -> None:
        """Publish an answer, or why there is none; a map that was read before stays."""
        source.schedule.postpone(self._clock())
        if isinstance(answer, BpfexitError):
            kept = "; its names stay those of the last time" if source.owner else ""
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
        """Return whose socket it is: as the user says, else as the socket or QEMU does."""
        if socket.guest:
            owners = [key for key, guest in guests.items() if socket.is_of(guest)]
        elif answer.pid in self._others:
            owners = []
        else:
            # Libvirt makes the sockets of its guests, so the process may be libvirt's.
            owners = [key for key in guests if key.pid == answer.pid] or [
                key for key in guests if answer.name in ("", key.name)
            ]
        if len(owners) == 1:
            return owners[0]
        what = "none" if not owners else f"{len(owners)}"
        self._board.fail(
            socket,
            f"--qmp {socket.path}: {what} of the guests that are watched fits it: "
            "say whose it is with --qmp GUEST=PATH, by name or process",
        )
        return None
