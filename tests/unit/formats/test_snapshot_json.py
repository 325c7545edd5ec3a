"""A line holds the whole snapshot, and no line, however strange, breaks the reader."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given

from bpfexit.errors import BpfexitError
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.formats.json.snapshot import SCHEMA, encode
from bpfexit.formats.json.snapshot_reader import decode
from bpfexit.formats.json.values import MAX_COUNT, MAX_NAME
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.time_account import vcpu_parts
from bpfexit.model.vcpu_parts import PARTS
from bpfexit.names.reasons import Isa
from tests.unit.builders import HOSTILE, Exits, pio, snapshot, snapshots, with_parts
from tests.unit.formats.small_snapshot import PVM, document, small
from tests.unit.tallies import tally, vcpu_tally

DOCUMENT_FIELDS = [
    "schema",
    "start",
    "duration_s",
    "host",
    "kernel",
    "backend",
    "has_exit_events",
    "has_waiting",
    "has_blocked",
    "views",
    "lost",
    "in_flight",
    "ended_pids",
    "cost",
    "vcpus",
    "rows",
]
LOST_FIELDS = ["map_full", "vcpus_full", "missed", "unpaired", "extra_accesses"]
LOST_FIELDS += ["string_io", "unended"]
VCPU_FIELDS = ["vm", "pid", "tid", "vcpu"]
VCPU_FIELDS += ["guest_ns", "kvm_ns", "user_ns", "wait_ns", "idle_ns"]
ROW_FIELDS = [
    "vm",
    "pid",
    "tid",
    "vcpu",
    "isa",
    "reason",
    "kind",
    "access",
    "size",
    "address",
    "count",
    "total_ns",
    "max_ns",
    "user_count",
    "user_ns",
    "wait_ns",
    "user_wait_ns",
    "no_latency",
    "hist",
]


@given(snapshots())
def test_what_is_written_is_read(of: Snapshot) -> None:
    again = decode(encode(of))
    assert tally(again) == tally(of)
    assert vcpu_tally(again) == vcpu_tally(of)
    assert (again.start, again.duration_s) == (of.start, of.duration_s)
    assert (again.lost, again.in_flight, again.origin) == (of.lost, of.in_flight, of.origin)
    assert again.cost == of.cost


@given(snapshots())
def test_reading_and_writing_again_changes_nothing(of: Snapshot) -> None:
    assert encode(decode(encode(of))) == encode(of)


@given(snapshots())
def test_it_is_one_line_of_ascii(of: Snapshot) -> None:
    line = encode(of)
    assert line.isascii()
    assert line.isprintable()


@given(HOSTILE)
@example('\n\r\x1b[2J\u2028"\\ud800')
def test_a_hostile_name_is_kept_and_does_no_harm(name: str) -> None:
    line = encode(snapshot(Exits("HLT", (1,), vm=name)))
    assert line.isascii()
    assert line.isprintable()
    assert decode(line).vms == (name,)


def test_the_fields_are_those_of_the_schema() -> None:
    found = document(small())
    assert found["schema"] == SCHEMA == "bpfexit.snapshot/2"
    assert list(found) == DOCUMENT_FIELDS
    assert list(found["lost"]) == LOST_FIELDS
    assert [list(each) for each in found["vcpus"]] == [VCPU_FIELDS] * 2
    assert [list(each) for each in found["rows"]] == [ROW_FIELDS] * 2


def test_a_row_says_it_all() -> None:
    row, idle = document(small())["rows"]
    assert row == {
        "vm": "alpha",
        "pid": 100,
        "tid": 101,
        "vcpu": 0,
        "isa": "vmx",
        "reason": "IO_INSTRUCTION",
        "kind": "pio",
        "access": "read",
        "size": 1,
        "address": 0x70,
        "count": 3,
        "total_ns": 3100,
        "max_ns": 3000,
        "user_count": 1,
        "user_ns": 2000,
        "wait_ns": None,
        "user_wait_ns": None,
        "no_latency": 1,
        "hist": [[96, 112, 1], [2560, 3072, 1]],
    }
    assert [idle[name] for name in ("kind", "access", "size", "address")] == [None] * 4


def test_waiting_is_there_where_it_is_measured() -> None:
    rows = pio(0x70, ns=(3100,), user_ns=(2000,), wait_ns=900, user_wait_ns=200), Exits("HLT", (5,))
    found = document(snapshot(*rows, Exits("CPUID", no_latency=1)))
    waits = [(row["wait_ns"], row["user_wait_ns"]) for row in found["rows"]]
    assert found["has_waiting"] is True
    assert waits == [(900, 200), (0, 0), (None, 0)]


def test_blocked_time_has_fields_where_it_is_measured() -> None:
    blocked = pio(0x70, ns=(3100,), user_ns=(2000,), blocked_ns=1900, user_blocked_ns=1700)
    found = document(snapshot(blocked, Exits("CPUID", no_latency=1)))
    times = [(row["blocked_ns"], row["user_blocked_ns"]) for row in found["rows"]]
    assert found["has_blocked"] is True
    assert times == [(1900, 1700), (None, 0)]
    assert "blocked_ns" not in document(small())["rows"][0]


def test_polling_has_a_field_where_it_is_measured() -> None:
    found = document(snapshot(Exits("HLT", (900,), poll_ns=700), Exits("CPUID", (70,))))
    assert found["views"] == ["halt"]
    assert [row["poll_ns"] for row in found["rows"]] == [700, 0]


def test_blocked_time_is_unknown_in_a_sum_with_an_interval_without_it() -> None:
    with_it, without = snapshot(pio(0x70, ns=(3100,), blocked_ns=900)), snapshot(pio(0x70))
    assert merged([with_it, without]).origin.has_blocked is False
    assert document(merged([with_it, with_it]))["rows"][0]["blocked_ns"] == 1800


@pytest.mark.parametrize("has_waiting", [True, False])
def test_the_parts_of_the_time_of_a_vcpu_are_written_and_read(has_waiting: bool) -> None:
    of = with_parts(snapshot(Exits("CPUID", (7,), wait_ns=int(has_waiting))), 5, 4, 3, 2, -1)
    (vcpu,) = document(of)["vcpus"]
    waited = 2 if has_waiting else None
    assert [vcpu[name] for name in PARTS] == [5, 4, 3, waited, -1]
    again = decode(encode(of))
    assert again.vcpus["has_parts"].all()
    assert vcpu_parts(again).tolist() == [(5, 4, 3, waited or 0, -1)]


def test_a_vcpu_of_a_line_of_before_has_its_time_in_the_guest_alone() -> None:
    old = document(with_parts(snapshot(Exits("CPUID", (7,)), Exits("HLT", (9,))), 5, 4, 3, 2, 1))
    for name in PARTS[1:]:
        del old["vcpus"][0][name]
    again = decode(json.dumps(old))
    assert not again.vcpus["has_parts"].any()
    assert vcpu_parts(again).tolist() == [(5, 7, 0, 0, 9)]


def test_waiting_is_unknown_in_lines_of_before_and_in_a_sum_with_one() -> None:
    new = snapshot(pio(0x70, ns=(3100,), wait_ns=900))
    old = document(new)
    del old["has_waiting"]
    for row in old["rows"]:
        del row["wait_ns"], row["user_wait_ns"]
    again = decode(json.dumps(old))
    assert again.origin.has_waiting is False
    assert document(merged([new, again]))["rows"][0]["wait_ns"] is None
    assert document(merged([new, new]))["rows"][0]["wait_ns"] == 1800


def test_what_bpfexit_cost_is_there_when_it_is_known() -> None:
    programs = ProgramsCost(5.0, 0.5, 7, (ProgramRuns("kvm_exit", 7, 700),))
    assert document(small())["cost"] is None
    assert document(snapshot(cost=OwnCost(0.25, 1.0)))["cost"] == {
        "cpu_s": 0.25,
        "over_s": 1.0,
        "programs": None,
    }
    assert document(snapshot(cost=OwnCost(0.25, 1.0, programs)))["cost"]["programs"] == {
        "start": 5.0,
        "duration_s": 0.5,
        "exits": 7,
        "programs": [{"event": "kvm_exit", "runs": 7, "ns": 700}],
    }


def test_a_line_without_the_cost_is_read() -> None:
    old = document(small())
    del old["cost"]
    assert decode(json.dumps(old)).cost == OwnCost()


def test_what_is_not_known_is_null() -> None:
    row = pio(0x70, isa=Isa.NONE, reason=None, no_latency=2, vcpu=-1, user_ns=(5,))
    found = document(snapshot(row, origin=PVM))
    (line,) = found["rows"]
    for name in ("isa", "reason", "total_ns", "max_ns", "vcpu"):
        assert line[name] is None
    assert (line["count"], line["no_latency"], line["user_ns"], line["hist"]) == (2, 2, 5, [])
    assert found["vcpus"][0]["guest_ns"] is None
    assert found["vcpus"][0]["vcpu"] is None
    assert found["has_exit_events"] is False


def test_a_number_that_is_no_number_is_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(snapshot(start=float("nan")))


def test_fields_of_later_versions_are_passed_over() -> None:
    changed = document(small()) | {"new": 1}
    changed["rows"][0]["new"] = changed["lost"]["new"] = 2
    assert encode(decode(json.dumps(changed))) == encode(small())


def test_kinds_and_accesses_have_the_names_of_the_model() -> None:
    rows = [
        Exits("x", (1,), kind=kind, access=access, address=5)
        for kind in (PIO, MMIO, MSR)
        for access in (Access.READ, Access.WRITE)
    ]
    found = [(row["kind"], row["access"]) for row in document(snapshot(*rows))["rows"]]
    assert found == [(k, a) for k in ("pio", "mmio", "msr") for a in ("read", "write")]


def test_the_reasons_that_alone_were_counted_come_back() -> None:
    some = replace(snapshot(pio(0x608)), only=("io", "hlt"))
    assert decode(encode(some)).only == ("io", "hlt")
    assert "only" not in json.loads(encode(snapshot(pio(0x608))))


def test_a_name_as_long_as_an_argument_is_read() -> None:
    name = "x" * MAX_NAME
    of = snapshot(pio(0x70, vm=name))
    assert decode(encode(of)).vms == (name,)
    with pytest.raises(BpfexitError, match="name is longer"):
        decode(encode(of).replace(name, f"{name}x"))


def test_a_maximum_beyond_the_counters_leaves_the_line_readable() -> None:
    largest = snapshot(pio(0x70, ns=(2**37,)))
    largest.rows.fields["max_ns"] = MAX_COUNT
    again = decode(encode(largest))
    assert again.rows["max_ns"].tolist() == [MAX_COUNT]
    assert document(largest)["rows"][0]["hist"] == [[2**36, MAX_COUNT, 1]]
