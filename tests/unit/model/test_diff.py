"""Comparisons match what lasts, add up, and order lines by the time they save or lose."""

from dataclasses import replace
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.pio import PIO
from bpfexit.model.diff import NAMELESS, Diff, compare
from bpfexit.model.matched import Line, Status
from bpfexit.model.rank_test import Verdict
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import DIMENSIONS, Query, view
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots

BY = st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True).map(tuple)
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def tops(found: Diff) -> list[Line]:
    return [line for line in found.lines if not line.depth]


def only(found: Diff) -> Line:
    (line,) = found.lines
    return line


def test_rates_times_and_ratios_are_those_of_a_second() -> None:
    before = snapshot(pio(0x608, ns=(4000,) * 40, user_ns=(3000,) * 40), duration_s=2.0)
    after = snapshot(pio(0x608, ns=(2000,) * 40, user_ns=(1000,) * 10), duration_s=4.0)
    line = only(compare(before, after, Query(("port",))))
    assert (line.kind, line.address, line.access) == (PIO, 0x608, Access.READ)
    assert (line.before.rate, line.after.rate, line.rate_ratio) == (20, 10, 0.5)
    assert (line.before.mean, line.after.mean, line.mean_ratio) == (4000, 2000, 0.5)
    assert (line.before.time, line.after.time, line.saved) == (80_000, 20_000, 60_000)
    assert (line.before.user, line.after.user) == (1.0, 0.25)
    assert (line.before.user_mean, line.after.user_mean) == (3000, 1000)
    assert line.latency.verdict is Verdict.FASTER
    assert line.latency.larger == 0
    assert line.status is Status.CHANGED


def test_what_appeared_and_what_vanished_is_said() -> None:
    before, after = snapshot(pio(0x70, ns=(1000,))), snapshot(pio(0x71, ns=(3000,)))
    new, gone = compare(before, after, Query(("port",))).lines
    assert (new.address, new.status, new.saved) == (0x71, Status.APPEARED, -3000)
    assert (gone.address, gone.status, gone.saved) == (0x70, Status.VANISHED, 1000)
    assert isnan(new.rate_ratio)
    assert gone.rate_ratio == 0
    assert new.latency.verdict is gone.latency.verdict is Verdict.UNKNOWN


def test_a_guest_is_the_same_by_its_name_whatever_its_process() -> None:
    before = snapshot(
        pio(0x70, ns=(10,), vm="web", pid=1, tid=2), pio(0x70, ns=(10,), vm="db", pid=7, tid=8)
    )
    after = snapshot(
        pio(0x70, ns=(10,), vm="db", pid=1, tid=2), pio(0x70, ns=(10,) * 3, vm="web", pid=9, tid=9)
    )
    found = compare(before, after, Query(("vm", "vcpu")))
    assert {line.vm: line.rate_ratio for line in found.lines} == {"web": 3, "db": 1}
    assert [(line.pid, line.tid) for line in found.lines] == [(None, None)] * 2


def test_guests_without_a_name_are_one() -> None:
    before = snapshot(pio(0x70, ns=(10,), vm="pid:1"), pio(0x70, ns=(10,), vm="pid:2", pid=2))
    after = snapshot(pio(0x70, ns=(10,) * 4, vm="pid:3", pid=3))
    line = only(compare(before, after, Query(("vm",))))
    assert (line.vm, line.rate_ratio) == (NAMELESS, 2)


def test_without_guests_all_are_summed() -> None:
    one = snapshot(pio(0x70, ns=(10,)), pio(0x70, ns=(20,), vm="beta", pid=2))
    line = only(compare(one, one, Query(("port",))))
    assert line.before.count == 2
    assert line.vm is None


def test_reasons_match_by_name_wherever_they_stand() -> None:
    before = snapshot(Exits("CPUID", (10,)), Exits("HLT", (5,)))
    after = snapshot(Exits("HLT", (5,)), Exits("CPUID", (10,)))
    assert compare(before, after, Query(("reason",))).is_same


def test_idle_time_has_a_rate_and_nothing_else() -> None:
    before, after = snapshot(Exits("HLT", (10**9,) * 30)), snapshot(Exits("HLT", (10**6,) * 60))
    found = compare(before, after, Query(("reason",)))
    line = only(found)
    assert line.rate_ratio == 2
    numbers = (line.saved, line.before.time, line.before.mean, line.after.p99, line.mean_ratio)
    assert all(isnan(number) for number in numbers)
    assert line.latency.verdict is Verdict.UNKNOWN
    assert found.saved == 0
    in_a_guest = only(compare(before, after, Query(("vm",))))
    assert in_a_guest.latency.verdict is Verdict.UNKNOWN


def test_lines_come_by_time_saved_or_lost_and_groups_by_their_largest_line() -> None:
    before = snapshot(
        Exits("CPUID", (100_000,)),
        pio(0x70, ns=(500_000,)),
        pio(0x71, ns=(1,)),
    )
    after = snapshot(
        Exits("CPUID", (1,)),
        pio(0x70, ns=(1,)),
        pio(0x71, ns=(500_000,)),
        pio(0x72, ns=(2,)),
    )
    found = compare(before, after, Query(("reason", "port")))
    assert [(line.reason, line.address) for line in found.lines] == [
        ("IO_INSTRUCTION", None),
        ("IO_INSTRUCTION", 0x70),
        ("IO_INSTRUCTION", 0x71),
        ("IO_INSTRUCTION", 0x72),
        ("CPUID", None),
    ]
    cut = compare(before, after, Query(("reason", "port"), limit=2))
    assert [line.address for line in cut.lines] == [None, 0x70]
    assert cut.hidden == 3


def test_a_recording_and_itself_are_the_same() -> None:
    one = snapshot(pio(0x70, ns=(10,) * 30), Exits("HLT", (5,)))
    assert compare(one, one, Query()).is_same
    assert compare(one, one, Query(limit=1)).is_same
    longer = replace(one, duration_s=2.0)
    assert not compare(one, longer, Query()).is_same


def test_a_hidden_difference_is_one() -> None:
    before = snapshot(pio(0x70, ns=(10,)), Exits("HLT", (5,)))
    after = snapshot(pio(0x70, ns=(10,)), Exits("HLT", (5, 5)))
    found = compare(before, after, Query(("reason",), limit=1))
    assert not found.is_same


def test_without_exits_rates_and_time_in_user_space_are_compared() -> None:
    def row(count: int, ns: int) -> Snapshot:
        one = pio(0x608, isa=Isa.NONE, reason=None, no_latency=count, user_ns=(ns,) * count)
        return snapshot(one, origin=PVM)

    found = compare(row(4, 2500), row(2, 500), Query(("port",)))
    line = only(found)
    assert found.userspace
    assert (line.rate_ratio, line.mean_ratio) == (0.5, 0.2)
    assert (line.saved, found.saved) == (9000, 9000)
    assert isnan(line.before.mean)
    assert line.latency.verdict is Verdict.UNKNOWN


def test_what_differs_of_the_hosts_is_said() -> None:
    one = snapshot(pio(0x70, ns=(10,)))
    other = replace(one, origin=Origin("host", "6.19.0", "kvm_amd"))
    assert compare(one, one, Query()).differing == ()
    assert compare(one, other, Query()).differing == ("kernel", "backend")


def test_no_time_gives_no_rates() -> None:
    one = snapshot(pio(0x70, ns=(10,)), duration_s=0.0)
    line = only(compare(one, one, Query(("port",))))
    assert isnan(line.before.rate)
    assert isnan(line.saved)


@given(snapshots(), snapshots(), BY)
def test_every_exit_is_in_one_line(before: Snapshot, after: Snapshot, by: tuple[str, ...]) -> None:
    found = compare(before, after, Query(by))
    for side, of in (("before", before), ("after", after)):
        seen = sum(getattr(line, side).count for line in tops(found))
        assert seen == sum(
            line.numbers["count"] for line in view(of, Query(by)).lines if not line.depth
        )
    swapped = compare(after, before, Query(by))
    assert len(swapped.lines) == len(found.lines)
    assert compare(before, before, Query(by)).is_same


@pytest.mark.parametrize("at", [0, 1])
def test_an_empty_recording_compares(at: int) -> None:
    pair = [snapshot(pio(0x70, ns=(10,))), snapshot(pio(0x70, ns=(10,)))]
    pair[at] = snapshot()
    line = only(compare(pair[0], pair[1], Query(("port",))))
    assert line.status is (Status.APPEARED if at == 0 else Status.VANISHED)
