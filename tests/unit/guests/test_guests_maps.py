"""The maps of guests: each belongs to one guest, whoever reads it first."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests import guests
from bpfexit.guests.guests import Guests
from bpfexit.guests.maps.published import GuestKey, Mapped, NoMaps
from bpfexit.model.guest import Guest, Identity, NameSource
from tests.unit.fake_processes import put
from tests.unit.guests.seen_guests import FIRST, PID, SECOND, WEB, gone, seen


class Given(NoMaps):
    """Maps as a test gives them, and the guests that were handed over last."""

    def __init__(self) -> None:
        self.maps: dict[GuestKey, Mapped] = {}
        self.handed: list[GuestKey] = []

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        self.handed = list(guests)
        return self.maps


MAPPED: Mapped = ((Region(PIO, 0x608, 0x60B, "acpi-tmr"),), NameSource.QMP)


def test_memory_maps_come_when_they_are_there_and_stay_after_the_end(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web")
    given = Given()
    known = Guests(given, tmp_path)
    assert known.update(seen(PID)) == (WEB,)
    given.maps = dict.fromkeys(given.handed, MAPPED)
    found = replace(WEB, regions=MAPPED[0], mapped_by=NameSource.QMP)
    assert known.update(seen(PID)) == (found,)
    assert known.update(seen(PID)) is known.update(seen(PID))
    given.maps = {}
    assert known.update(seen(PID)) == (found,)
    gone(tmp_path)
    assert known.update(seen(PID)) == (replace(found, ended=True),)
    assert given.handed == []


@pytest.mark.parametrize("new", [{"started": 2000}, {"memory": 0x500000}])
@pytest.mark.parametrize("identity", [Identity(PID), FIRST])
def test_the_map_of_a_guest_is_not_that_of_its_namesake_with_the_same_pid(
    tmp_path: Path, identity: Identity, new: dict[str, int]
) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    given = Given()
    known = Guests(given, tmp_path)
    known.update({identity: True})
    given.maps = dict.fromkeys(given.handed, MAPPED)
    put(tmp_path, PID, "qemu", "-name", "web", **new)  # type: ignore[arg-type]
    after = SECOND if identity.started and "started" in new else identity
    *_, guest = known.update({after: True})
    assert (guest.ended, guest.mapped_by) == (False, None)
    assert given.maps.keys().isdisjoint(given.handed)


def test_a_guest_is_the_same_to_its_maps_whoever_reads_of_it_first(tmp_path: Path) -> None:
    put(tmp_path, PID, "qemu", "-name", "web", started=1000)
    given = Given()
    Guests(given, tmp_path).update({FIRST: True})
    assert given.handed == list(guests.living_guests([PID], tmp_path))


class Failing:
    """Has no map, and keeps what it is handed."""

    def __init__(self) -> None:
        self.handed: list[list[str]] = []
        self.closed = False

    def __call__(self, guests: Mapping[GuestKey, Guest], /) -> Mapping[GuestKey, Mapped]:
        self.handed.append([guest.name for guest in guests.values()])
        return {}

    def failures(self) -> tuple[str, ...]:
        return ("--qmp q: no",)

    def close(self) -> None:
        self.closed = True


def test_guests_hand_over_those_that_live_and_pass_on_the_rest(tmp_path: Path) -> None:
    put(tmp_path, 10, "qemu", "-name", "a")
    put(tmp_path, 11, "qemu", "-name", "b")
    failing = Failing()
    known = Guests(failing, tmp_path)
    known.update(seen(10, 11))
    put(tmp_path, 10, state="Z", threads=1, memory=0)
    known.update(seen(10, 11))
    assert failing.handed == [["a", "b"], ["b"]]
    assert known.failures() == ("--qmp q: no",)
    known.close()
    assert failing.closed
