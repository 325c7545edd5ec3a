"""QEMUs and libvirt as a test has them answer."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from bpfexit.errors import BpfexitError
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests.maps import qmp
from bpfexit.guests.maps.map_reader import MapReader
from bpfexit.guests.maps.published import Mapped
from bpfexit.guests.maps.qmp import Answer
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.host.cancel import Cancel
from bpfexit.model.guest import Guest, NameSource
from tests.unit.guests.keyed import key, keyed

A, B = Guest(1, "a"), Guest(2, "b")
AnswerT = TypeVar("AnswerT")

MAP = (Region(PIO, 0x70, 0x71, "rtc"),)


NEW = (Region(PIO, 0x70, 0x7F, "new"),)


class World:
    """QEMUs and libvirt as they answer, a clock, and what was asked and noted."""

    def __init__(self) -> None:
        self.qmp: dict[str, Answer | BpfexitError] = {}
        self.domains: dict[str, str] | BpfexitError = {}
        self.maps: dict[str, tuple[Region, ...] | BpfexitError] = {}
        self.asked: list[str] = []
        self.now = 0.0

    def ask(
        self, sockets: Sequence[Socket], _: Cancel, take: Callable[[int, qmp.Outcome], object]
    ) -> None:
        for index, each in enumerate(sockets):
            self.asked.append(each.path)
            take(index, self.qmp[each.path])

    def listed(self, _: Cancel) -> dict[str, str]:
        self.asked.append("virsh list")
        return raised(self.domains)

    def memory_map(self, uuid: str, _: Cancel) -> tuple[Region, ...]:
        self.asked.append(uuid)
        return raised(self.maps[uuid])

    def reader(
        self, *sockets: Socket, with_libvirt: bool = False, others: Sequence[int] = ()
    ) -> "Reader":
        return Reader(self, MapReader(MapSources(sockets, with_libvirt), others, lambda: self.now))


class Reader:
    """Reads until nothing more is due, as the thread does that it belongs to."""

    def __init__(self, world: World, reader: MapReader) -> None:
        self._world = world
        self._reader = reader
        self.board = reader.board
        self.noted: list[str] = []

    def read(self, *guests: Guest, now: float | None = None) -> list[Mapped]:
        """Return the guests' maps at that time."""
        self._world.now = self._world.now if now is None else now
        while not self._reader.read(keyed(*guests)):
            pass
        self.noted += self.board.take_notes()
        return [self.board.maps.get(key(guest), ((), None)) for guest in guests]

    @property
    def failures(self) -> list[str]:
        return [*self.board.failures.values()]


def raised(value: AnswerT | BpfexitError) -> AnswerT:
    if isinstance(value, BpfexitError):
        raise value
    return value


NOTHING: Mapped = ((), None)


BY_QMP: Mapped = (MAP, NameSource.QMP)


BY_LIBVIRT: Mapped = (MAP, NameSource.LIBVIRT)
