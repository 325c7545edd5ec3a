"""A line holds the whole snapshot, and no line, however strange, breaks the reader."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.snapshot import SCHEMA, decode, encode
from bpfexit.formats.json.values import KEPT_NAME, MAX_NAME
from bpfexit.model.guest import Guest
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.names.reasons import Isa
from tests.unit.builders import (
    HOSTILE,
    SLOW_EXIT,
    Exits,
    pio,
    snapshot,
    snapshots,
    tally,
    vcpu_tally,
)

DOCUMENT_FIELDS = [
    "schema",
    "start",
    "duration_s",
    "host",
    "kernel",
    "backend",
    "has_exit_events",
    "lost",
    "in_flight",
    "ended_pids",
    "cost",
    "vcpus",
    "rows",
]
LOST_FIELDS = ["map_full", "vcpus_full", "missed", "unpaired", "extra_accesses"]
LOST_FIELDS += ["string_io", "unended"]
VCPU_FIELDS = ["vm", "pid", "tid", "vcpu", "guest_ns"]
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
    "no_latency",
    "hist",
]
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def small() -> Snapshot:
    return snapshot(
        pio(0x70, ns=(100, 3000), no_latency=1, user_ns=(2000,)),
        Exits("HLT", (10**9,), vm="beta", pid=200, tid=201),
        guest_ns=777,
        lost=Lost(1, 2, 3, 4, 5),
        in_flight=1,
    )


def document(of: Snapshot) -> Any:
    return json.loads(encode(of))


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
        "no_latency": 1,
        "hist": [[96, 112, 1], [2560, 3072, 1]],
    }
    assert [idle[name] for name in ("kind", "access", "size", "address")] == [None] * 4


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


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inside:
        found.append((*path, key))
        if isinstance(each, dict | list):
            found += places(each, (*path, key))
    return found


PLACES = places(json.loads(encode(small())))
NUMBERS = (
    st.integers()
    | st.sampled_from([2**31, 2**32, 2**63, 2**64, 10**400, -1, 1e300, 0.5])
    | st.floats()
)
STRANGE = st.recursive(
    st.none() | st.booleans() | NUMBERS | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def drop(value: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


def read_or_refused(line: str) -> None:
    """Read a line; what comes out must be good enough to be written again."""
    try:
        found = decode(line)
    except BpfexitError as error:
        refusal = str(error)
    else:
        refusal = ""
        encode(found)
    assert refusal == "" or refusal.isprintable()
    assert len(refusal) < 200


@settings(max_examples=400)
@given(st.sampled_from(PLACES), STRANGE)
def test_a_field_of_another_kind_is_read_or_refused(path: tuple[Any, ...], new: Any) -> None:
    changed = document(small())
    put(changed, path, new)
    read_or_refused(json.dumps(changed))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_missing_field_is_read_or_refused(path: tuple[Any, ...]) -> None:
    changed = document(small())
    drop(changed, path)
    read_or_refused(json.dumps(changed))


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)), max_size=3))
def test_values_in_the_wrong_places_are_read_or_refused(
    swaps: list[tuple[tuple[Any, ...], tuple[Any, ...]]],
) -> None:
    source, changed = document(small()), document(small())
    for target, origin in sorted(swaps, key=lambda swap: -len(swap[0])):
        value = source
        for key in origin:
            value = value[key]
        put(changed, target, copy.deepcopy(value))
    read_or_refused(json.dumps(changed))


@given(st.text() | st.from_regex(r'\{"schema":"bpfexit\.snapshot/1"(,"\w{1,9}":[0-9{\["]{0,4})*'))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(BpfexitError):
        decode(text)


@given(st.data())
def test_a_line_that_is_cut_is_refused(data: st.DataObject) -> None:
    line = encode(small())
    with pytest.raises(BpfexitError):
        decode(line[: data.draw(st.integers(0, len(line) - 1))])


@pytest.mark.parametrize("deep", ["[" * 10**5, '{"a":' * 10**5, '{"schema":' + "[" * 10**5])
def test_deep_nesting_is_refused(deep: str) -> None:
    with pytest.raises(BpfexitError):
        decode(deep)


def test_deep_nesting_in_a_name_is_read_or_refused() -> None:
    for depth in (100, 900, 5000):
        line = encode(small()).replace('"beta"', "[" * depth + "]" * depth)
        read_or_refused(line)


@pytest.mark.parametrize("other", ["bpfexit.snapshot/3", "", None, 1, ["bpfexit.snapshot/2"]])
def test_another_schema_is_refused_by_its_name(other: Any) -> None:
    with pytest.raises(BpfexitError, match="schema"):
        decode(json.dumps(document(small()) | {"schema": other}))


@pytest.mark.parametrize("name", ["pid", "tid", "count", "address", "size", "vcpu", "user_ns"])
@pytest.mark.parametrize("value", ["12", -1, 1.0, True, [1], 2**64, float("nan"), 10**30])
def test_a_number_of_a_row_is_a_whole_number(name: str, value: Any) -> None:
    changed = document(small())
    changed["rows"][0][name] = value
    with pytest.raises(BpfexitError):
        decode(json.dumps(changed))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "soon", None, 1e300])
@pytest.mark.parametrize("name", ["start", "duration_s"])
def test_a_time_is_a_number_that_can_be_one(name: str, value: Any) -> None:
    with pytest.raises(BpfexitError):
        decode(json.dumps(document(small()) | {name: value}))


@pytest.mark.parametrize("hist", [[[96, 112, 4]], [[96, 112, 2], [96, 112, 2]], [[97, 112, 1]]])
def test_a_histogram_fits_its_row_and_the_buckets(hist: list[list[int]]) -> None:
    changed = document(small())
    changed["rows"][0]["hist"] = hist
    with pytest.raises(BpfexitError):
        decode(json.dumps(changed))


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


def test_a_very_long_name_of_a_guest_that_ended_is_cut() -> None:
    of = snapshot(pio(0x70, vm="x" * 2000, pid=7), guests=(Guest(7, "x", ended=True),))
    (guest,) = decode(encode(of)).guests
    assert guest.name == "x" * (KEPT_NAME - 1) + "…"


def test_too_many_slow_exits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(snapshot(), slow=Slow(1, (SLOW_EXIT,) * 20))
    assert decode(encode(slow)).slow == slow.slow
    monkeypatch.setattr(snapshot_json, "MEMORY", 20_000)
    with pytest.raises(BpfexitError, match="takes more than"):
        decode(encode(slow))
