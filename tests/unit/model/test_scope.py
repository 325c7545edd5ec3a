"""Parts of a snapshot: what a line is about, and what a text matches."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.filter import Filter, kept
from bpfexit.model.lines import Line
from bpfexit.model.scope import EVERYTHING, Part, Scope, matcher, matching, narrowed
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import DIMENSIONS, Query, view
from tests.unit.builders import Exits, pio, snapshot, snapshots
from tests.unit.model.test_view import busy_host

BY = st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True).map(tuple)


@pytest.mark.parametrize(
    ("text", "exits"),
    [
        ("", 24),
        ("GAM", 2),
        ("io_instr", 7),
        ("hlt", 3),
        ("608", 1),
        ("0x0608", 1),
        ("0x70", 5),
        ("0x00006e0", 0),
        ("0x000006e0", 9),
        ("0xfee000b0", 1),
        ("no such thing", 0),
        ("/^(hlt|npf)$/", 4),
        ("/^(hlt|npf)$", 4),
        ("/0x0*6/", 10),
        ("/beta|gamma/", 3),
    ],
)
def test_a_text_finds_guests_reasons_and_addresses(text: str, exits: int) -> None:
    assert matching(busy_host(), text).exits == exits


def test_a_row_without_an_address_has_none_to_be_found() -> None:
    assert not matching(snapshot(Exits("CPUID", (1,))), "0x0").exits


def test_shares_are_those_of_what_is_found() -> None:
    found = view(matching(busy_host(), "npf"), Query(("reason",))).lines
    assert [line.numbers["time"] for line in found] == [1.0]


def test_the_vcpus_are_those_of_the_guests_that_match() -> None:
    found = matching(busy_host(), "gamma")
    assert [found.vms[vm] for vm in found.vcpus["vm"]] == ["gamma"]
    assert found.only == ()


def test_of_some_exits_shares_of_the_vcpus_time_are_not_known() -> None:
    assert matching(busy_host(), "npf").only == ("npf",)


def test_an_expression_that_is_none_raises() -> None:
    with pytest.raises(re.error):
        matcher("/(/")


def opened(of: Snapshot, line: Line, by: tuple[str, ...]) -> Snapshot:
    return narrowed(of, EVERYTHING.opened(line, by))


@given(snapshots(), BY)
def test_what_a_line_opens_has_the_exits_of_that_line(of: Snapshot, by: tuple[str, ...]) -> None:
    for line in view(of, Query(by)).lines:
        if line.kind or "reason" not in by or line.reason is not None:
            assert opened(of, line, by).exits == line.numbers["count"]


def test_a_reason_within_a_guest_is_of_that_guest() -> None:
    of = busy_host()
    guest = next(line for line in view(of, Query(("vm",))).lines if line.vm == "gamma")
    scope = EVERYTHING.opened(guest, ("vm",))
    reason = view(narrowed(of, scope), Query(("reason",), "count")).lines[0]
    inner = scope.opened(reason, ("reason",))
    assert (inner.vm, inner.pid, inner.is_exits) == ("gamma", 300, True)
    assert narrowed(of, inner).exits == 1


def test_everything_is_the_snapshot_itself() -> None:
    of = busy_host()
    assert Part().of(of) is of
    assert narrowed(of, Scope()) is of


def test_guests_of_one_name_are_told_apart_by_their_process() -> None:
    of = snapshot(pio(1, ns=(5,)), pio(1, ns=(5, 6), pid=200, tid=201))
    assert narrowed(of, Scope(vm="alpha", pid=200)).exits == 2
    assert len(narrowed(of, Scope(vm="alpha", pid=200)).vcpus) == 1
    assert narrowed(replace(of), Scope(vm="beta")).exits == 0


@pytest.mark.parametrize(
    ("guests", "exits"),
    [((), 24), (("beta",), 1), (("*a",), 24), (("g*", "bet?"), 3), (("none",), 0)],
)
def test_guests_are_chosen_by_name_or_pattern(guests: tuple[str, ...], exits: int) -> None:
    found = kept(busy_host(), Filter(guests=guests))
    assert found.exits == exits
    assert len(found.vcpus) == len({*zip(found.rows["vm"], found.rows["tid"], strict=True)})
