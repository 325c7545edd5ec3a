"""Maps through libvirt: which guests it runs, and one map at a time."""

from bpfexit.errors import BpfexitError
from bpfexit.guests.maps.map_reader import MapReader
from bpfexit.guests.maps.qmp import Answer
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.model.guest import Guest, NameSource
from tests.unit.guests.keyed import keyed
from tests.unit.guests.map_world import BY_LIBVIRT, BY_QMP, MAP, NEW, NOTHING, A, B, World


def test_libvirt_is_asked_for_the_guests_it_runs(world: World) -> None:
    world.domains, world.maps = {"b": "U-B", "c": "U-C"}, {"U-B": MAP}
    reader = world.reader(with_libvirt=True)
    assert reader.read(A, B) == [NOTHING, BY_LIBVIRT]
    assert world.asked == ["virsh list", "U-B"]
    world.maps["U-B"] = NEW
    assert reader.read(A, B, now=11) == [NOTHING, (NEW, NameSource.LIBVIRT)]


def test_of_many_guests_each_is_published_as_soon_as_it_has_answered(world: World) -> None:
    guests = [Guest(pid, f"n{pid}") for pid in range(50)]
    world.domains = {guest.name: f"U{guest.pid}" for guest in guests}
    world.maps = {f"U{guest.pid}": MAP for guest in guests}
    reader = MapReader(MapSources((), libvirt=True), clock=lambda: 0.0)
    for number in range(1, 51):
        assert bool(reader.read(keyed(*guests))) == (number == 50)
        assert len(reader.board.maps) == number
    assert world.asked.count("virsh list") == 1


def test_a_socket_comes_before_libvirt_and_libvirt_after_a_failure(world: World) -> None:
    world.qmp = {"q": Answer(1, "a", MAP), "dead": BpfexitError("dead")}
    world.domains, world.maps = {"a": "U-A", "b": "U-B"}, {"U-B": NEW}
    reader = world.reader(Socket("a", "q"), Socket("b", "dead"), with_libvirt=True)
    assert reader.read(A, B) == [BY_QMP, (NEW, NameSource.LIBVIRT)]
    world.qmp["dead"] = Answer(2, "b", MAP)
    assert reader.read(A, B, now=11) == [BY_QMP, BY_QMP]
    world.asked.clear()
    reader.read(A, B, now=2000)
    assert world.asked == ["q", "dead"]


def test_a_libvirt_that_fails_is_noted(world: World) -> None:
    world.domains = BpfexitError("--libvirt: no")
    reader = world.reader(with_libvirt=True)
    reader.read(A, B)
    assert reader.failures == ["--libvirt: no"]
    world.domains, world.maps = {"c": "U-C"}, {"U-C": BpfexitError("--libvirt: c")}
    reader.read(A, B, Guest(3, "c"))
    assert reader.noted == ["--libvirt: no", "--libvirt: c"]
    assert reader.failures == ["--libvirt: c"]


def test_the_same_failure_of_many_guests_is_noted_once(world: World) -> None:
    guests = [Guest(pid, f"n{pid}") for pid in range(5)]
    world.domains = {guest.name: "U" for guest in guests}
    world.maps = {"U": BpfexitError("--libvirt: virsh did not answer")}
    reader = world.reader(with_libvirt=True)
    reader.read(*guests)
    assert reader.noted == ["--libvirt: virsh did not answer"]


def test_a_domain_that_fails_is_listed_again_as_it_may_be_another_one(world: World) -> None:
    world.domains, world.maps = {"a": "OLD"}, {"OLD": BpfexitError("no domain"), "NEW": MAP}
    reader = world.reader(with_libvirt=True)
    reader.read(A)
    world.domains = {"a": "NEW"}
    assert reader.read(A, now=11) == [BY_LIBVIRT]
    assert reader.failures == []
