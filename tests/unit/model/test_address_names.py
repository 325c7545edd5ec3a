"""Names of addresses: the guest's own map first, guests that differ, views and comparisons."""

from dataclasses import replace

import pytest

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.model.address_names import AddressName, address_name, joined_name
from bpfexit.model.diff import compare
from bpfexit.model.distribution import distributions
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.scope import matching
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query, view
from tests.unit.builders import Exits, pio, snapshot

GUESS = AddressName("acpi-tmr", NameSource.PLATFORM, is_guess=True)


def guest(
    pid: int, *regions: Region, source: NameSource = NameSource.QMP, name: str = "alpha"
) -> Guest:
    return Guest(pid, name, regions=regions, mapped_by=source)


def port(first: int, name: str, last: int | None = None) -> Region:
    return Region(PIO, first, first if last is None else last, name)


def test_without_a_guest_the_platform_answers_and_it_is_a_guess() -> None:
    assert address_name(PIO, 0x608) == GUESS
    assert GUESS.marked == "acpi-tmr?"
    assert address_name(PIO, 0xC050) is None


def test_an_msr_is_what_it_is() -> None:
    found = address_name(MSR, 0x6E0, [Guest(1, "a")])
    assert found == AddressName("TSC_DEADLINE", NameSource.PLATFORM, is_guess=False)
    assert found.marked == "TSC_DEADLINE"


def test_the_guests_own_map_wins_and_the_platform_stands_behind_it() -> None:
    own = guest(1, port(0x600, "other", 0x60F))
    assert address_name(PIO, 0x608, [own]) == AddressName("other", NameSource.QMP)
    assert address_name(PIO, 0x40, [own]) == AddressName(
        "pit channel 0", NameSource.PLATFORM, is_guess=True
    )


def test_a_coarse_region_gets_the_register_and_keeps_its_layer() -> None:
    page = Region(MMIO, 0xFEE00000, 0xFEEFFFFF, "kvm-apic-msi")
    found = address_name(MMIO, 0xFEE000B0, [guest(1, page, source=NameSource.LIBVIRT)])
    assert found == AddressName("kvm-apic-msi EOI", NameSource.LIBVIRT)


def test_regions_without_anybody_who_gave_them_are_none() -> None:
    assert address_name(PIO, 0x608, [Guest(1, "a", regions=(port(0x608, "x"),))]) == GUESS


def test_guests_that_differ_are_all_named_up_to_three() -> None:
    guests = [guest(at, port(0x70, name)) for at, name in enumerate("aabcd")]
    assert address_name(PIO, 0x70, guests[:4]) == AddressName("a|b|c", NameSource.QMP)
    assert address_name(PIO, 0x70, guests) == AddressName("a|b|c|…", NameSource.QMP)


def test_one_guest_that_was_not_asked_makes_it_a_guess() -> None:
    found = address_name(PIO, 0x608, [guest(1, port(0x608, "acpi-tmr")), Guest(2, "b")])
    assert found == GUESS


def test_what_is_not_known_of_some_says_nothing() -> None:
    assert joined_name([None, GUESS, None]) == GUESS
    assert joined_name([None]) is None
    assert joined_name([]) is None


def two_guests() -> Snapshot:
    """Guest 100 has `a` at 0x70, guest 200 `b`; only 200 has been at 0x608."""
    maps = (
        guest(100, port(0x70, "a"), port(0x608, "never")),
        guest(200, port(0x70, "b"), port(0x608, "tmr"), name="beta"),
    )
    exits = (
        pio(0x70, ns=(30,)),
        pio(0x70, ns=(20,), vm="beta", pid=200, tid=201),
        pio(0x608, ns=(10,), vm="beta", pid=200, tid=201),
        Exits("HLT", (5,)),
    )
    return replace(snapshot(*exits), guests=maps)


def names(of: Snapshot, *by: str) -> list[tuple[str | None, str | None]]:
    """Return guest and address's name of each line, in order."""
    lines = view(of, Query(by)).lines
    return [(line.vm, line.name.text if line.name else None) for line in lines]


def test_a_line_has_the_names_of_those_guests_that_were_there() -> None:
    assert names(two_guests(), "port") == [(None, "a|b"), (None, "tmr")]


def test_an_address_below_a_guest_is_named_by_that_guest() -> None:
    expected = [("alpha", None), ("alpha", "a"), ("beta", None), ("beta", "b"), ("beta", "tmr")]
    assert sorted(names(two_guests(), "vm", "port"), key=str) == sorted(expected, key=str)


def test_lines_that_are_hidden_cost_no_name_and_no_line_without_an_address_has_one() -> None:
    found = view(two_guests(), Query(limit=1))
    assert [line.name for line in found.lines] == [None]


@pytest.mark.parametrize(("text", "count"), [("TMR", 1), ("b", 1), ("never", 0), ("0x70", 2)])
def test_the_filter_finds_names(text: str, count: int) -> None:
    of = replace(two_guests(), vms=("one", "two"))
    lines = view(matching(of, text), Query(("port",))).lines
    assert sum(line.numbers["count"] for line in lines) == count


def test_the_filter_finds_what_an_access_of_another_direction_is_after() -> None:
    of = replace(snapshot(pio(0x608, ns=(1,), access=Access.WRITE)), vms=("one",))
    assert len(view(matching(of, "acpi"), Query(("port",))).lines) == 1


def test_a_pid_that_was_of_two_guests_has_the_names_of_each() -> None:
    exits = (pio(0x70, ns=(1,)), pio(0x70, ns=(1,), vm="beta"))
    maps = (guest(100, port(0x70, "a")), guest(100, port(0x70, "b"), name="beta"))
    of = replace(snapshot(*exits), guests=maps)
    assert names(of, "port") == [(None, "a|b")]


def test_a_comparison_names_an_address_as_both_sides_do() -> None:
    before, after = (
        replace(snapshot(pio(0x70, ns=(time,))), guests=(guest(100, port(0x70, name)),))
        for time, name in ((10, "a"), (20, "b"))
    )
    (line,) = compare(before, after, Query(("port",))).lines
    assert line.name == AddressName("a|b", NameSource.QMP)


def test_a_distribution_has_the_name_of_its_address() -> None:
    found = distributions(two_guests(), Query(("vm", "port")))
    named = {(each.labels["vm"], each.labels["address"]): each.name for each in found}
    assert named["alpha", 0x70] == AddressName("a", NameSource.QMP)
    assert named["beta", 0x608] == AddressName("tmr", NameSource.QMP)
    assert named["alpha", None] is None
