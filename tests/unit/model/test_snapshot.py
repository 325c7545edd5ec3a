"""Merging keeps every count, in whatever order; times say where it all went."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.guest import Guest
from bpfexit.model.losses import Lost
from bpfexit.model.rows import NO_REASON
from bpfexit.model.snapshot import Snapshot, merged, times
from tests.unit.builders import Exits, pio, snapshot, snapshots
from tests.unit.tallies import Tally, tally, tally_sum, vcpu_tally

COUNTS = st.integers(0, 2**62)
LOSTS = st.builds(Lost, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def added(tallies: Sequence[Tally]) -> Tally:
    every: Tally = {}
    for each in tallies:
        for key, values in each.items():
            every[key] = tally_sum(every[key], values) if key in every else values
    return every


def same(a: Snapshot, b: Snapshot) -> None:
    assert tally(a) == tally(b)
    assert vcpu_tally(a) == vcpu_tally(b)
    assert (a.start, a.vms, a.reasons, a.lost) == (b.start, b.vms, b.reasons, b.lost)
    assert (a.in_flight, a.origin) == (b.in_flight, b.origin)
    assert a.duration_s == pytest.approx(b.duration_s)


@given(st.lists(snapshots(), min_size=1, max_size=4))
def test_merging_keeps_every_count(parts: list[Snapshot]) -> None:
    whole = merged(parts)
    assert tally(whole) == added([tally(part) for part in parts])
    assert whole.exits == sum(part.exits for part in parts)
    assert len(whole.rows) == len(tally(whole))
    assert whole.start == parts[0].start
    assert whole.in_flight == parts[-1].in_flight
    assert whole.cost.cpu_s == pytest.approx(sum(part.cost.cpu_s for part in parts))
    measured = [part.cost.programs for part in parts if part.cost.programs]
    assert whole.cost.programs == (measured[-1] if measured else None)


@given(st.lists(snapshots(), min_size=1, max_size=4))
def test_merging_keeps_the_time_of_vcpus(parts: list[Snapshot]) -> None:
    expected: dict[tuple[object, ...], tuple[int, ...]] = {}
    for part in parts:
        for key, (*ns, known) in vcpu_tally(part).items():
            *before, all_known = expected.get(key, (*[0] * len(ns), True))
            sums = (a + b for a, b in zip(before, ns, strict=True))
            expected[key] = (*sums, known and all_known)
    assert vcpu_tally(merged(parts)) == expected
    assert len(merged(parts).vcpus) == len(expected)


@given(snapshots(), snapshots(), snapshots())
def test_merging_is_associative(a: Snapshot, b: Snapshot, c: Snapshot) -> None:
    whole = merged([a, b, c])
    same(merged([merged([a, b]), c]), whole)
    same(merged([a, merged([b, c])]), whole)


@given(st.lists(snapshots(), min_size=1, max_size=3))
def test_merging_leaves_its_parts_as_they_were(parts: list[Snapshot]) -> None:
    before = [(tally(part), vcpu_tally(part)) for part in parts]
    merged(parts)
    assert [(tally(part), vcpu_tally(part)) for part in parts] == before


def test_names_in_another_order_are_still_the_same_names() -> None:
    first = snapshot(Exits("HLT", (1,), vm="a"), Exits("CPUID", (2,), vm="b"))
    second = snapshot(Exits("CPUID", (3,), vm="b"), Exits("HLT", (4,), vm="a"))
    assert (first.vms, second.vms) == (("a", "b"), ("b", "a"))
    found = {key[:2]: values[:3] for key, values in tally(merged([first, second])).items()}
    assert found == {("a", "HLT"): (2, 2, 5), ("b", "CPUID"): (2, 2, 5)}


def test_rows_without_a_reason_stay_without_one() -> None:
    whole = merged([snapshot(Exits(None, no_latency=1)), snapshot(Exits("HLT", (1,)))])
    assert sorted(whole.rows["reason"].tolist()) == [NO_REASON, 0]


def test_an_empty_snapshot_adds_nothing_but_time() -> None:
    some, none = snapshot(pio(0x70, ns=(10,))), snapshot(duration_s=2.0)
    assert tally(merged([none, some])) == tally(some)
    assert merged([none, some]).duration_s == 3.0
    assert merged([none, none]).exits == 0


@given(LOSTS, LOSTS)
def test_lost_adds_and_subtracts(a: Lost, b: Lost) -> None:
    assert a + b - b == a
    assert a + b == b + a
    assert a + Lost() == a
    assert (a + b).missed == a.missed + b.missed


def test_times_keep_idle_apart_and_user_withaway() -> None:
    found = times(
        snapshot(
            Exits("HLT", (1000,), user_ns=(600,)),
            pio(0x70, ns=(100, 50), user_ns=(40,)),
            Exits("hlt", (2000,), tid=102),
            guest_ns=5000,
        )
    )
    assert (found.guest, found.exits, found.idle, found.user) == (10000, 150, 3000, 40)
    assert found.total == 13150


def test_idle_rows_are_those_in_which_the_guest_waits() -> None:
    names = ("CPUID", "HLT", "hlt", "idle-halt", None, "MWAIT_INSTRUCTION")
    found = snapshot(*[Exits(name, (1,)) for name in names])
    assert found.idle.tolist() == [False, True, True, True, False, False]


@given(snapshots())
def test_times_add_up_to_what_the_rows_hold(of: Snapshot) -> None:
    found = times(of)
    assert found.exits + found.idle == int(of.rows["total_ns"].sum())
    assert found.guest == int(of.vcpus["guest_ns"].sum())


def test_who_has_a_pid_now_is_the_last_of_its_guests_in_a_sum() -> None:
    old, new = Guest(100, "old"), Guest(100, "new")
    gone = [replace(each, ended=True) for each in (old, new)]
    said = [(old,), (gone[0], new), (gone[1], old), (gone[1], old)]
    of = [snapshot(guests=each) for each in said]
    assert merged(of).guests == said[-1]
    assert merged([merged(of[:2]), *of[2:]]).guests == said[-1]
    assert merged(of).ended == {(100, "new")}
