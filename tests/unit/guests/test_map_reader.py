"""Whose map is whose, what is reported when there is none, and when it is read again."""

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps.map_reader import MapReader
from bpfexit.guests.maps.qmp import Answer
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.guests.maps.schedule import FIRST_PAUSE_S, LONGEST_PAUSE_S
from bpfexit.model.guest import Guest, NameSource
from tests.unit.guests.keyed import keyed
from tests.unit.guests.map_world import BY_QMP, MAP, NEW, NOTHING, A, B, World


@pytest.mark.parametrize("socket", [Socket("a", "q"), Socket("1", "q"), Socket("", "q")])
def test_a_guest_is_found_as_the_user_says_or_by_its_process(world: World, socket: Socket) -> None:
    world.qmp["q"] = Answer(1, "", MAP)
    reader = world.reader(socket)
    assert reader.read(A, B) == [BY_QMP, NOTHING]
    assert (reader.noted, reader.failures) == ([], [])


def test_a_socket_that_libvirt_made_is_told_by_qemus_name(world: World) -> None:
    world.qmp["q"] = Answer(77, "b", MAP)
    assert world.reader(Socket("", "q")).read(A, B) == [NOTHING, BY_QMP]


def test_a_nameless_qemu_is_the_only_guest_or_nobody(world: World) -> None:
    world.qmp["q"] = Answer(77, "", MAP)
    assert world.reader(Socket("", "q")).read(A) == [BY_QMP]
    reader = world.reader(Socket("", "q"))
    assert reader.read(A, B) == [NOTHING, NOTHING]
    assert reader.noted == reader.failures
    assert "2 of the watched guests" in reader.noted[0]


def test_a_nameless_qemu_stays_the_guest_that_it_was(world: World) -> None:
    world.qmp["q"] = Answer(77, "", MAP)
    reader = world.reader(Socket("", "q"))
    reader.read(A)
    world.qmp["q"] = Answer(77, "", NEW)
    assert reader.read(A, B, now=11) == [(NEW, NameSource.QMP), NOTHING]
    assert reader.noted == []


def test_a_socket_that_another_process_has_made_is_another_guests(world: World) -> None:
    world.qmp["q"] = Answer(1, "", MAP)
    reader = world.reader(Socket("", "q"))
    reader.read(A, B)
    world.qmp["q"] = Answer(2, "", NEW)
    assert reader.read(A, B, now=11) == [BY_QMP, (NEW, NameSource.QMP)]


def test_the_map_of_a_guest_that_is_not_watched_is_not_another_ones(world: World) -> None:
    world.qmp["q"] = Answer(2, "", MAP)
    reader = world.reader(Socket("", "q"), others=[2])
    assert reader.read(A) == [NOTHING]
    assert "none of the watched guests" in reader.noted[0]


def test_a_failure_is_noted_once_and_lasts_until_the_source_answers(world: World) -> None:
    world.qmp["q"] = BpfexitError("--qmp q: no")
    reader = world.reader(Socket("a", "q"))
    for second in range(1000):
        assert reader.read(A, now=second) == [NOTHING]
        assert reader.failures == ["--qmp q: no"]
    assert reader.noted == ["--qmp q: no"]
    assert len(world.asked) == 7  # after 0, 10, 30, 70, 150, 310, 630 s
    world.qmp["q"] = Answer(1, "", MAP)
    assert reader.read(A, now=2000) == [BY_QMP]
    assert reader.failures == []
    world.qmp["q"] = BpfexitError("--qmp q: no")
    reader.read(A, now=4000)
    assert len(reader.noted) == 2


def test_a_failure_of_a_guest_that_has_ended_is_none_any_more(world: World) -> None:
    world.qmp["q"] = BpfexitError("--qmp q: no")
    world.domains, world.maps = {"a": "U-A"}, {"U-A": BpfexitError("--libvirt: a")}
    reader = world.reader(Socket("a", "q"), with_libvirt=True)
    reader.read(A)
    assert reader.failures == ["--qmp q: no", "--libvirt: a"]
    reader.read()
    assert reader.failures == []
    world.domains = BpfexitError("--libvirt: no")
    reader.read(B)
    assert reader.failures == ["--libvirt: no"]
    reader.read()
    assert reader.failures == []


def test_a_guest_that_starts_later_is_asked_then(world: World) -> None:
    reader = world.reader(Socket("b", "q"))
    world.qmp["q"] = Answer(2, "", MAP)
    assert reader.read(A) == [NOTHING]
    assert world.asked == []
    assert reader.noted == ["--qmp: guest 'b' is not running; waiting for it"]
    assert reader.read(A, B) == [NOTHING, BY_QMP]
    assert reader.read(Guest(3, "b")) == [BY_QMP]
    assert world.asked == ["q", "q"]
    assert len(reader.noted) == 1


def test_a_socket_that_says_nothing_of_its_guest_is_asked_when_one_starts(world: World) -> None:
    world.qmp["q"] = BpfexitError("--qmp q: no such socket")
    reader = world.reader(Socket("", "q"))
    reader.read()
    world.qmp["q"] = Answer(1, "", MAP)
    assert reader.read(A, now=1) == [BY_QMP]
    reader.read(A, B, now=2)
    assert world.asked == ["q", "q"]


def test_the_map_of_a_guest_that_has_ended_is_forgotten(world: World) -> None:
    world.qmp["q"] = Answer(1, "", MAP)
    reader = world.reader(Socket("", "q"))
    reader.read(A, B)
    reader.read(B)
    assert reader.board.maps == {}


@pytest.mark.parametrize("through_libvirt", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_it_is_read_again_ever_more_seldom(
    world: World, through_libvirt: bool, fails: bool
) -> None:
    error = BpfexitError("no")
    world.qmp["q"] = error if fails else Answer(1, "a", MAP)
    world.domains, world.maps = {"a": "U-A"}, {"U-A": error if fails else MAP}
    sockets = [] if through_libvirt else [Socket("a", "q")]
    reader = world.reader(*sockets, with_libvirt=through_libvirt)
    ((first, _),) = reader.read(A)
    times = []
    for second in range(1, 5000):
        world.asked.clear()
        ((regions, _),) = reader.read(A, now=second)
        assert regions is first
        times += [second] * (not {"q", "U-A"}.isdisjoint(world.asked))
    pauses = [after - before for before, after in zip([0, *times], times, strict=False)]
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 640, 640, 640, 640, 640]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)


def test_what_has_changed_is_seen_and_a_failure_leaves_it_as_it_was(world: World) -> None:
    world.qmp["q"] = Answer(1, "a", MAP)
    reader = world.reader(Socket("", "q"))
    reader.read(A)
    world.qmp["q"] = Answer(1, "a", NEW)
    assert reader.read(A, now=11) == [(NEW, NameSource.QMP)]
    world.qmp["q"] = BpfexitError("gone")
    for second in range(12, 1000):
        assert reader.read(A, now=second) == [(NEW, NameSource.QMP)]
    assert reader.noted == ["gone; its names are those of the last answer"]


def test_what_has_not_been_read_so_far_is_told_on_each_source(world: World) -> None:
    sources = MapSources((Socket("a", "q"), Socket("c", "later")), libvirt=True)
    reader = MapReader(sources, clock=lambda: 0.0)
    world.qmp["q"] = Answer(1, "", MAP)
    world.domains, world.maps = {"b": "U-B", "d": "U-D"}, {"U-B": MAP, "U-D": MAP}
    guests = keyed(A, B, Guest(4, "d"))
    reader.read({})
    silent, by_libvirt = reader.unread(guests)
    assert silent.startswith("--qmp q: no answer before the end: ")
    assert by_libvirt == "--libvirt: no answer for 3 of the guests before the end"
    reader.read(guests)
    assert reader.unread(guests) == ["--libvirt: no answer for 1 of the guests before the end"]
    reader.read(guests)
    assert reader.unread(guests) == []


def test_what_has_failed_is_told_already(world: World) -> None:
    world.qmp["q"], world.domains = BpfexitError("--qmp q: no"), BpfexitError("--libvirt: no")
    reader = MapReader(MapSources((Socket("a", "q"),), libvirt=True), clock=lambda: 0.0)
    reader.read(keyed(A, B))
    assert reader.board.take_notes() == ["--qmp q: no", "--libvirt: no"]
    assert reader.unread(keyed(A, B)) == []
