"""Series begin with their guest, stay ten minutes after its end, and go on with its next start."""

from dataclasses import replace

from bpfexit.exporting.roster import KEPT_S
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
from tests.unit.builders import Exits, snapshot
from tests.unit.exporting.exposed import accumulator, exposed

WEB = Guest(100, "web")
ENDED = replace(WEB, ended=True)
AGAIN = Guest(200, "web")


def cpuid(count: int, guest: Guest, *guests: Guest) -> Snapshot:
    row = Exits("CPUID", ns=(10,) * count, vm=guest.name, pid=guest.pid)
    return snapshot(row, guests=guests or (guest,))


def counts(*steps: tuple[float, Snapshot]) -> dict[str, object]:
    """Return the exits by guest after these snapshots, each of its time."""
    known = accumulator()
    for now, each in steps:
        known.add(each, now)
    found = exposed(known.families()).get("bpfexit_exits_total", {})
    return {labels[0]: value for labels, value in found.items()}


def test_an_ended_guest_stays_for_ten_minutes() -> None:
    steps = [(0.0, cpuid(1, WEB)), (5.0, cpuid(2, WEB, ENDED))]
    gone = snapshot(guests=(ENDED,))
    assert counts(*steps, (5 + KEPT_S - 1, gone)) == {"web": 3}
    assert counts(*steps, (5 + KEPT_S, gone)) == {}
    assert counts(*steps, (5 + KEPT_S, gone), (5 + KEPT_S + 5, gone)) == {}


def test_one_that_is_forgotten_elsewhere_stays_as_long() -> None:
    steps = [(0.0, cpuid(1, WEB)), (5.0, snapshot(guests=(ENDED,))), (10.0, snapshot())]
    assert counts(*steps, (600.0, snapshot())) == {"web": 1}
    assert counts(*steps, (605.0, snapshot())) == {}


def test_a_guest_that_starts_again_goes_on_with_its_series() -> None:
    steps = [
        (0.0, cpuid(1, WEB)),
        (5.0, cpuid(2, WEB, ENDED)),
        (10.0, cpuid(4, AGAIN, ENDED, AGAIN)),
        (2000.0, cpuid(8, AGAIN)),
    ]
    assert counts(*steps) == {"web": 15}


def test_also_when_both_are_in_one_interval() -> None:
    last = Exits("CPUID", ns=(10,) * 2, vm="web", pid=100)
    first = Exits("CPUID", ns=(10,) * 4, vm="web", pid=200)
    both = snapshot(last, first, guests=(ENDED, AGAIN))
    assert counts((0.0, cpuid(1, WEB)), (5.0, both)) == {"web": 7}


def test_also_when_all_of_the_first_one_is_in_the_interval() -> None:
    came_and_went, living = Guest(200, "web", ended=True), Guest(150, "web")
    first = Exits("CPUID", ns=(10,) * 2, vm="web", pid=200)
    last = Exits("CPUID", ns=(10,) * 4, vm="web", pid=150)
    both = snapshot(first, last, guests=(ENDED, came_and_went, living))
    assert counts((0.0, cpuid(1, WEB)), (5.0, both)) == {"web": 7}


def test_two_living_guests_of_one_name_are_two() -> None:
    both = snapshot(
        Exits("CPUID", ns=(10,), vm="web", pid=100),
        Exits("CPUID", ns=(10,) * 2, vm="web", pid=200),
        guests=(WEB, AGAIN),
    )
    assert counts((0.0, both), (5.0, both)) == {"web": 2, "web (200)": 4}


def test_a_name_that_is_made_to_look_like_another_label_is_not() -> None:
    impostor = Guest(300, "web (200)")
    rows = [
        Exits("CPUID", ns=(10,), vm=guest.name, pid=guest.pid) for guest in (WEB, AGAIN, impostor)
    ]
    every = snapshot(*rows, guests=(WEB, AGAIN, impostor))
    assert counts((0.0, every), (5.0, every)) == {
        "web": 2,
        "web (200)": 2,
        "web (200) (300)": 2,
    }


def test_a_guest_that_lived_within_one_interval_is_counted() -> None:
    steps = [(0.0, cpuid(3, WEB, ENDED)), (5.0, snapshot(guests=(ENDED,)))]
    assert counts(*steps) == {"web": 3}


def test_memory_is_bounded_however_many_guests_come_and_go() -> None:
    steps = [
        (float(at), cpuid(1, Guest(at, f"g{at}"), Guest(at, f"g{at}", ended=True)))
        for at in range(1, MOST_ENDED + 50)
    ]
    assert len(counts(*steps)) == MOST_ENDED
