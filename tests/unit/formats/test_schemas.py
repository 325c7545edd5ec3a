"""Whatever bpfexit writes is valid by its JSON Schema, and old recordings read as before."""

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import bpfexit
from bpfexit.advice.diagnosis import diagnose
from bpfexit.formats import event_counts as events_json
from bpfexit.formats import report
from bpfexit.formats.hist.format import Choice
from bpfexit.formats.hist.registry import FORMATS
from bpfexit.formats.json import checks as checks_json
from bpfexit.formats.json import cost as cost_json
from bpfexit.formats.json import diagnosis as diagnosis_json
from bpfexit.formats.json import diff as diff_json
from bpfexit.formats.json import guest as guest_json
from bpfexit.formats.json import guests as guests_json
from bpfexit.formats.json import recording as recording_json
from bpfexit.formats.json import slow as slow_json
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json.schemas import SCHEMAS
from bpfexit.host.check import Check, Status
from bpfexit.model.diff import compare
from bpfexit.model.distribution import distributions
from bpfexit.model.event_counts import EventCount, EventInterval, Key, Owner, Source
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest
from bpfexit.model.own_cost import ProgramsCost
from bpfexit.model.running_guest import RunningGuest
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import DIMENSIONS, Query
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total
from bpfexit.testguest.mix import MIXES, parse_mix
from bpfexit.testguest.report import ready_document, result_document
from bpfexit.testguest.session import Result, VcpuResult
from tests.unit.builders import PROGRAMS_COSTS, SLOW_EXIT, guests, snapshots
from tests.unit.formats.distributed import whole

VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
OLD = sorted((Path(__file__).parents[2] / "data").glob("*.jsonl.gz"))


def check(lines: Iterable[str]) -> None:
    """Validate each document by the schema that it names."""
    for line in lines:
        document = json.loads(line)
        name, _, version = document["schema"].removeprefix("bpfexit.").partition("/")
        assert version == "2"
        VALIDATORS[name].validate(document)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_itself(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    with pytest.raises(Exception, match="required"):
        VALIDATORS[name].validate({"schema": f"bpfexit.{name}/2"})


@given(snapshots(), snapshots())
def test_documents_are_valid(before: Snapshot, after: Snapshot) -> None:
    check([snapshot_json.encode(before)])
    check(whole(diagnosis_json.encode(diagnose(before))).splitlines())
    check(diff_json.encode(compare(before, after, Query(DIMENSIONS))))
    check(report.json_lines(before, Query(DIMENSIONS)))
    found = distributions(before, Query(DIMENSIONS))
    check(whole(FORMATS["json"].encode(found, Choice())).splitlines())
    check([slow_json.encode_line(SLOW_EXIT)])
    check([slow_json.encode_line(replace(SLOW_EXIT, vcpu=-1, reason=None, rip=None, ns=None))])


@given(snapshots(), PROGRAMS_COSTS)
def test_costs_are_valid(of: Snapshot, cost: ProgramsCost) -> None:
    check(cost_json.encode(of, cost))


@pytest.mark.parametrize("status", Status)
def test_checks_are_valid(status: Status) -> None:
    check([checks_json.encode(Check("kernel", status, "6.1", "update it"))])


@pytest.mark.parametrize("mix", MIXES)
def test_results_of_the_guest_are_valid(mix: str) -> None:
    steps = parse_mix(mix)
    result = Result(7, (VcpuResult(0, 8, tuple(range(len(steps))), 3),), 0.5)
    check(map(json.dumps, (ready_document(7, [8, 9]), result_document(steps, result))))


def test_counts_of_events_are_valid() -> None:
    guest, other = Owner("web", 7, vm="9-10"), Owner("ksmd", 0, is_guest=False)
    counts = (
        EventCount(Key(guest, Source.COUNTER, "exits"), 5, 9),
        EventCount(Key(guest, Source.GAUGE, "pages_4k"), None, 3),
        EventCount(Key(other, Source.TRACEPOINT, "kvm_age_hva"), 2, None),
    )
    for seconds in (0.0, 2.0):
        check([events_json.json_line(EventInterval(1000.0, seconds, counts, 1, ("why",)))])


def test_every_document_has_a_schema() -> None:
    sources = (path.read_text() for path in Path(bpfexit.__file__).parent.rglob("*.py"))
    written = {name for text in sources for name in re.findall(r'"bpfexit\.([a-z]+)/2"', text)}
    assert written == set(SCHEMAS)


@given(guests(), st.integers(0, 9), st.none() | st.integers(0, 1 << 50))
def test_guests_of_this_host_are_valid(guest: Guest, vcpus: int, size: int | None) -> None:
    check([guests_json.encode(RunningGuest(guest, vcpus, size))])


@given(guests())
def test_lines_of_recordings_are_valid(guest: Guest) -> None:
    check([guest_json.encode(guest)])


def lines_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.name)
def test_a_recording_of_version_1_reads_as_it_was_written(path: Path) -> None:
    old = [each for each in lines_of(path) if each["schema"] == "bpfexit.snapshot/1"]
    assert old
    whole = total(path, Filter()).snapshot
    assert whole.exits == sum(row["count"] for each in old for row in each["rows"])
    assert whole.lost.extra_accesses == sum(each["lost"]["folded"] for each in old)
    assert whole.origin.has_exit_events == old[0]["emits_exits"]


def test_a_header_and_slow_exits_of_version_1_are_read() -> None:
    path = next(each for each in OLD if each.name == "recording-v1.jsonl.gz")
    old = [each["slow"] for each in lines_of(path) if "slow" in each]
    source = RecordingSource(path, Filter())
    assert source.header is not None
    check([recording_json.encode(source.header)])
    found = []
    while snapshot := source.next():
        assert snapshot.slow
        found.append(snapshot.slow)
        assert snapshot.guests
    assert [each.limited for each in found] == [each["limited"] for each in old]
    assert sum(len(each.exits) for each in found) == sum(len(each["exits"]) for each in old) > 0
