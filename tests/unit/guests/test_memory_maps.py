"""Whose map is whose, what is told when there is none, and when it is read again."""

from collections.abc import Sequence
from typing import TypeVar

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests.maps import libvirt, qmp
from bpfexit.guests.maps.memory_maps import FIRST_PAUSE_S, LONGEST_PAUSE_S, MemoryMaps
from bpfexit.guests.maps.qmp import Answer
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.model.guest import Guest, Layer

A, B = Guest(1, "a"), Guest(2, "b")
MAP = (Region(PIO, 0x70, 0x71, "rtc"),)
NEW = (Region(PIO, 0x70, 0x7F, "new"),)
NOTHING = ((), None)
AnswerT = TypeVar("AnswerT")


class World:
    """QEMUs and libvirt as they answer, a clock, and what was asked and told."""

    def __init__(self) -> None:
        self.qmp: dict[str, Answer | BpfexitError] = {}
        self.domains: dict[str, str] | BpfexitError = {}
        self.maps: dict[str, tuple[Region, ...] | BpfexitError] = {}
        self.told: list[str] = []
        self.asked: list[str] = []
        self.now = 0.0

    def ask(self, sockets: Sequence[Socket]) -> list[Answer | BpfexitError]:
        self.asked += [each.path for each in sockets]
        return [self.qmp[each.path] for each in sockets]

    def listed(self) -> dict[str, str]:
        self.asked.append("virsh list")
        return raised(self.domains)

    def memory_map(self, uuid: str) -> tuple[Region, ...]:
        self.asked.append(uuid)
        return raised(self.maps[uuid])

    def maps_of(self, *sockets: Socket, with_libvirt: bool = False) -> MemoryMaps:
        return MemoryMaps(MapSources(sockets, with_libvirt), self.told.append, lambda: self.now)


def raised(value: AnswerT | BpfexitError) -> AnswerT:
    if isinstance(value, BpfexitError):
        raise value
    return value


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(qmp, "ask", made.ask)
    monkeypatch.setattr(libvirt, "domains", made.listed)
    monkeypatch.setattr(libvirt, "memory_map", made.memory_map)
    return made


@pytest.mark.parametrize("socket", [Socket("a", "q"), Socket("1", "q"), Socket("", "q")])
def test_a_guest_is_found_as_the_user_says_or_by_its_process(world: World, socket: Socket) -> None:
    world.qmp["q"] = Answer(1, "", MAP)
    maps = world.maps_of(socket)
    maps.begin([A, B])
    assert maps(A) == (MAP, Layer.QMP)
    assert maps(B) == NOTHING
    assert world.told == []


def test_a_socket_that_libvirt_made_is_told_by_qemus_name(world: World) -> None:
    world.qmp["q"] = Answer(77, "b", MAP)
    maps = world.maps_of(Socket("", "q"))
    maps.begin([A, B])
    assert maps(B) == (MAP, Layer.QMP)


def test_a_nameless_qemu_is_the_only_guest_or_nobody(world: World) -> None:
    world.qmp["q"] = Answer(77, "", MAP)
    maps = world.maps_of(Socket("", "q"))
    maps.begin([A])
    assert maps(A) == (MAP, Layer.QMP)
    maps = world.maps_of(Socket("", "q"))
    maps.begin([A, B])
    assert maps(A) == maps(B) == NOTHING
    assert len(world.told) == 1
    assert "2 of the guests" in world.told[0]


def test_the_map_of_a_guest_that_is_not_watched_is_not_another_ones(world: World) -> None:
    world.qmp["q"] = Answer(2, "", MAP)
    maps = world.maps_of(Socket("", "q"))
    maps.begin([A], others={2})
    assert maps(A) == NOTHING
    assert "none of the guests" in world.told[0]


def test_what_fails_is_told_once_and_not_tried_again(world: World) -> None:
    world.qmp["q"] = BpfexitError("--qmp q: no")
    maps = world.maps_of(Socket("a", "q"))
    maps.begin([A])
    for world.now in range(1000):
        assert maps(A) == NOTHING
    assert world.told == ["--qmp q: no"]
    assert world.asked == ["q"]


def test_a_guest_that_starts_later_is_asked_then(world: World) -> None:
    maps = world.maps_of(Socket("b", "q"))
    maps.begin([A])
    assert world.asked == []
    assert "no guest 'b' runs now" in world.told[0]
    world.qmp["q"] = Answer(2, "", MAP)
    assert maps(A) == NOTHING
    assert maps(B) == (MAP, Layer.QMP)
    assert maps(Guest(3, "b")) == (MAP, Layer.QMP)
    assert world.asked == ["q", "q"]


def test_of_a_guest_that_has_ended_nothing_is_kept(world: World) -> None:
    path = Socket("a", "/a")
    world.qmp["/a"] = Answer(1, "a", MAP)
    maps = world.maps_of(path)
    assert maps(A) == (MAP, Layer.QMP)
    assert maps(A) == (MAP, Layer.QMP)
    assert world.asked == ["/a"]
    maps.forget(A)
    maps.forget(A)
    maps(A)
    assert world.asked == ["/a", "/a"]


def test_it_is_read_again_ever_more_seldom(world: World) -> None:
    world.qmp["q"] = Answer(1, "a", MAP)
    maps = world.maps_of(Socket("a", "q"))
    maps.begin([A])
    first, _ = maps(A)
    times = []
    for second in range(5000):
        world.now = float(second)
        world.asked.clear()
        assert maps(A)[0] is first
        times += [second] * len(world.asked)
    pauses = [after - before for before, after in zip([0, *times], times, strict=False)]
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 640, 640, 640, 640, 640]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)


def test_what_has_changed_is_seen_and_a_failure_leaves_it_as_it_was(world: World) -> None:
    world.qmp["q"] = Answer(1, "a", MAP)
    maps = world.maps_of(Socket("", "q"))
    maps.begin([A])
    world.qmp["q"], world.now = Answer(1, "a", NEW), 11.0
    assert maps(A) == (NEW, Layer.QMP)
    world.qmp["q"] = BpfexitError("gone")
    for world.now in range(1000):
        assert maps(A) == (NEW, Layer.QMP)
    assert world.told == ["gone; its names stay those of the last time"]


def test_libvirt_is_asked_for_the_guests_it_runs(world: World) -> None:
    world.domains, world.maps = {"b": "U-B", "c": "U-C"}, {"U-B": MAP}
    maps = world.maps_of(with_libvirt=True)
    maps.begin([A, B])
    assert maps(A) == NOTHING
    assert maps(B) == (MAP, Layer.LIBVIRT)
    assert world.asked == ["virsh list", "U-B"]
    world.now, world.maps["U-B"] = 11.0, NEW
    assert maps(B) == (NEW, Layer.LIBVIRT)


def test_a_socket_comes_before_libvirt_and_libvirt_after_a_failure(world: World) -> None:
    world.qmp = {"q": Answer(1, "a", MAP), "dead": BpfexitError("dead")}
    world.domains, world.maps = {"a": "U-A", "b": "U-B"}, {"U-B": NEW}
    maps = world.maps_of(Socket("a", "q"), Socket("b", "dead"), with_libvirt=True)
    maps.begin([A, B])
    assert maps(A) == (MAP, Layer.QMP)
    assert maps(B) == (NEW, Layer.LIBVIRT)


def test_a_libvirt_that_fails_is_told(world: World) -> None:
    world.domains = BpfexitError("--libvirt: no")
    maps = world.maps_of(with_libvirt=True)
    maps.begin([A, B])
    world.domains, world.maps = {"c": "U-C"}, {"U-C": BpfexitError("--libvirt: c")}
    assert maps(Guest(3, "c")) == NOTHING
    assert world.told == ["--libvirt: no", "--libvirt: c"]
