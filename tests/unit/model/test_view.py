"""Views add up to what they show, rank it, and keep idle time out of everything else."""

from dataclasses import replace
from itertools import chain, combinations
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.model.columns import COLUMNS, SORT_KEYS
from bpfexit.model.lines import Line
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import ADDRESS_KINDS, DIMENSIONS, Query, View, default_query, view
from bpfexit.names.reasons import IDLE, Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots

USUAL = ("vm", "vcpu", "class", *default_query(True, None, None).by)
"""Views that are opt-in only add addresses of other kinds: of all combinations, there are 2^25."""

EVERY_BY = list(chain.from_iterable(combinations(USUAL, n) for n in range(1, len(USUAL) + 1)))
BY = st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True).map(tuple)
HLT_NS = 10**9


def busy_host() -> Snapshot:
    return snapshot(
        Exits("HLT", (HLT_NS, HLT_NS), user_ns=(7,)),
        pio(0x70, ns=(3000, 5000), user_ns=(2000, 4000)),
        pio(0x70, ns=(4000,), no_latency=2, tid=102, vcpu=1),
        pio(0x608, ns=(1500,), vm="beta", pid=200, tid=201),
        pio(0x71, ns=(1600,), access=Access.WRITE),
        Exits("EPT_MISCONFIG", (9000,), kind=MMIO, access=Access.WRITE, address=0xFEE000B0),
        Exits("MSR_WRITE", (700,) * 9, kind=MSR, access=Access.WRITE, address=0x6E0),
        Exits("hlt", (HLT_NS,), vm="gamma", pid=300, tid=301, isa=Isa.SVM),
        Exits("npf", (800,), vm="gamma", pid=300, tid=301, isa=Isa.SVM),
        Exits("CPUID", no_latency=3),
    )


def pvm_host() -> Snapshot:
    return snapshot(
        pio(0x70, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(100,)),
        Exits(None, isa=Isa.NONE, no_latency=1, kind=MMIO, access=Access.READ, address=0xFEC0),
    )


def tops(found: View) -> list[Line]:
    return [line for line in found.lines if line.depth == 0]


def named(found: View, reason: str) -> Line:
    (line,) = (line for line in tops(found) if line.reason == reason)
    return line


def adds_up(of: Snapshot, by: tuple[str, ...]) -> None:
    query = Query(by)
    found = view(of, query)
    count = of.rows["count"]
    addressed = np.isin(of.rows["kind"], query.kinds)
    in_view = count if query.groups else count[addressed]
    assert sum(line.numbers["count"] for line in tops(found)) == in_view.sum()
    children = [line for line in found.lines if line.depth == 1]
    if query.groups and query.kinds:
        assert sum(line.numbers["count"] for line in children) == count[addressed].sum()
    else:
        assert children == []
    assert found.hidden == 0


@pytest.mark.parametrize("by", EVERY_BY, ids=",".join)
def test_every_grouping_adds_up(by: tuple[str, ...]) -> None:
    adds_up(busy_host(), by)
    adds_up(pvm_host(), by)
    adds_up(snapshot(), by)


@given(snapshots(), BY)
def test_any_snapshot_adds_up(of: Snapshot, by: tuple[str, ...]) -> None:
    adds_up(of, by)


@given(snapshots(), BY, st.sampled_from(SORT_KEYS))
def test_children_stand_under_their_parent(of: Snapshot, by: tuple[str, ...], sort: str) -> None:
    lines = view(of, Query(by, sort)).lines
    assert not lines or lines[0].depth == 0
    left = 0.0
    for line in lines:
        left = line.numbers["count"] if line.depth == 0 else left - line.numbers["count"]
        assert left >= 0
        assert line.depth == 0 or line.kind in [ADDRESS_KINDS[n] for n in by if n in ADDRESS_KINDS]


@pytest.mark.parametrize("by", EVERY_BY, ids=",".join)
def test_a_line_says_what_it_is_grouped_by_and_nothing_else(by: tuple[str, ...]) -> None:
    for line in tops(view(busy_host(), Query(by))):
        assert (line.vm is not None) == ("vm" in by or "vcpu" in by)
        assert (line.vcpu is not None) == (line.tid is not None) == ("vcpu" in by)
        assert (line.reason is not None) == ("reason" in by)
        assert (line.address is not None) == (not Query(by).groups)


def test_an_address_line_has_kind_and_direction() -> None:
    lines = view(busy_host(), Query(("port",), "count")).lines
    assert [(line.kind, line.address, line.access, line.numbers["count"]) for line in lines] == [
        (PIO, 0x70, Access.READ, 5),
        (PIO, 0x71, Access.WRITE, 1),
        (PIO, 0x608, Access.READ, 1),
    ]


@pytest.mark.parametrize("by", EVERY_BY, ids=",".join)
def test_idle_time_is_in_no_line_but_its_own(by: tuple[str, ...]) -> None:
    for line in view(busy_host(), Query(by)).lines:
        if line.reason not in IDLE:
            for column in ("mean", "p50", "p99", "max"):
                assert isnan(line.numbers[column]) or line.numbers[column] < HLT_NS / 1000
        else:
            assert isnan(line.numbers["time"])


def test_percentiles_are_those_of_the_exits_of_a_line() -> None:
    ns = tuple(range(1_000, 1_001_000, 1_000))
    (line,) = view(snapshot(pio(0x608, ns=ns)), Query(("reason",))).lines
    for column, exact in (("p50", 500e3), ("p90", 900e3), ("p99", 990e3), ("p999", 999e3)):
        assert line.numbers[column] == pytest.approx(exact, rel=0.02)


def test_idle_exits_are_counted_where_their_time_is_not() -> None:
    (alpha,) = (line for line in view(busy_host(), Query(("vm",))).lines if line.vm == "alpha")
    assert alpha.numbers["count"] == 21
    assert alpha.numbers["max"] == 9000


@pytest.mark.parametrize(("reason", "exits"), [("HLT", 2), ("hlt", 1)])
def test_idle_has_a_row_with_its_latency(reason: str, exits: int) -> None:
    line = named(view(busy_host(), Query(("reason",))), reason)
    assert line.numbers["count"] == exits
    assert line.numbers["mean"] == line.numbers["max"] == HLT_NS
    assert 0.75 * HLT_NS < line.numbers["p50"] <= HLT_NS
    assert isnan(line.numbers["time"])


def test_numbers_of_a_group() -> None:
    found = view(replace(busy_host(), duration_s=2.0), Query(("reason",)))
    numbers = named(found, "IO_INSTRUCTION").numbers
    assert numbers["count"] == 7
    assert numbers["rate"] == 3.5
    assert numbers["mean"] == (3000 + 5000 + 4000 + 1500 + 1600) / 5
    assert numbers["max"] == 5000
    assert numbers["user"] == 2 / 7
    assert numbers["user_mean"] == 3000
    exit_ns = 15100 + 9000 + 9 * 700 + 800
    assert numbers["time"] == pytest.approx(15100 / exit_ns)


def test_what_is_not_known_is_nan() -> None:
    for line in view(pvm_host(), Query(("port", "mmio"))).lines:
        for column in ("time", "mean", "p50", "p99", "max"):
            assert isnan(line.numbers[column])
    assert isnan(named(view(busy_host(), Query(("reason",))), "CPUID").numbers["mean"])
    (line,) = view(replace(snapshot(pio(1, ns=(5,))), duration_s=0.0), Query(("vm",))).lines
    assert isnan(line.numbers["rate"])


@given(snapshots(Isa.VMX) | snapshots(Isa.SVM), st.sampled_from(["reason", "vm", "vcpu"]))
def test_time_shares_add_up_to_one(of: Snapshot, by: str) -> None:
    shares = [line.numbers["time"] for line in view(of, Query((by,))).lines]
    known = [share for share in shares if not isnan(share)]
    if of.rows["total_ns"][~of.idle].sum():
        assert sum(known) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in known)


def is_ranked(lines: list[Line], sort: str) -> bool:
    values = [line.numbers.get(sort, line.numbers["count"]) for line in lines]
    known = [value for value in values if not isnan(value)]
    return known == sorted(known, reverse=True) and all(isnan(v) for v in values[len(known) :])


@given(snapshots(), BY, st.sampled_from([name for name in SORT_KEYS if name != "name"]))
def test_the_largest_come_first_and_the_unknown_last(
    of: Snapshot, by: tuple[str, ...], sort: str
) -> None:
    group: list[Line] = []
    lines = view(of, Query(by, sort)).lines
    assert is_ranked([line for line in lines if line.depth == 0], sort)
    for line in lines:
        group = [*group, line] if line.depth else []
        assert is_ranked(group, sort)


def test_names_are_in_order_when_sorted_by_name() -> None:
    lines = view(busy_host(), Query(("vm", "reason"), "name")).lines
    names = [(line.vm, line.reason) for line in lines]
    assert names == sorted(names, key=lambda name: (name[0] or "", name[1] or ""))


def test_ties_are_in_order_of_count_then_name() -> None:
    ties = [
        Exits(name, no_latency=count) for name, count in (("C", 1), ("A", 1), ("B", 1), ("D", 9))
    ]
    lines = view(snapshot(*ties), Query(("reason",), "time")).lines
    assert [line.reason for line in lines] == ["D", "A", "B", "C"]


@given(
    st.permutations(range(len(busy_host().rows))),
    st.sampled_from(EVERY_BY),
    st.sampled_from(SORT_KEYS),
)
def test_the_order_of_the_rows_changes_nothing(
    order: list[int], by: tuple[str, ...], sort: str
) -> None:
    of = busy_host()
    shuffled = replace(of, rows=of.rows.take(np.array(order)))
    assert shown(view(shuffled, Query(by, sort))) == shown(view(of, Query(by, sort)))


def shown(found: View) -> list[Line]:
    """Return the lines with nan as a number that equals itself."""
    return [
        replace(line, numbers={n: -1.0 if isnan(v) else v for n, v in line.numbers.items()})
        for line in found.lines
    ]


@given(snapshots(), BY, st.integers(0, 9))
def test_a_limit_cuts_the_end_and_says_how_much(
    of: Snapshot, by: tuple[str, ...], limit: int
) -> None:
    every = view(of, Query(by))
    found = view(of, Query(by, limit=limit))
    assert shown(found) == shown(every)[: limit or None]
    assert found.hidden == len(every.lines) - len(found.lines)


def test_a_back_end_without_reasons_starts_with_addresses_by_rate() -> None:
    assert default_query(True, None, None) == Query(("reason", "port", "mmio", "msr"), "time")
    assert default_query(False, None, None) == Query(("port", "mmio", "msr"), "rate")
    assert default_query(False, ("vm",), "p99", 3) == Query(("vm",), "p99", 3)


def test_no_number_is_missing() -> None:
    for line in view(busy_host(), Query()).lines:
        assert [*line.numbers] == [column.key for column in COLUMNS]
        assert line.numbers.get("count", nan) > 0
