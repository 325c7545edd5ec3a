"""Lines of a view as JSON and CSV: the same fields, every column, nothing cut."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from bpfexit.formats import report
from bpfexit.model.columns import ALL_COLUMNS, COLUMNS
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.usage import GuestUsage, HostUsage, Role, ThreadTimes
from bpfexit.model.view import DIMENSIONS, Query
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots, with_parts
from tests.unit.formats.distributed import whole

EVERYTHING = Query(DIMENSIONS)


def csv_rows(of: Snapshot, query: Query = EVERYTHING) -> list[dict[str, str]]:
    text = report.csv_header() + whole(report.csv_lines(of, query))
    return list(csv.DictReader(io.StringIO(text)))


def json_rows(of: Snapshot, query: Query = EVERYTHING) -> tuple[dict[str, Any], ...]:
    """Return the document on the interval, then those on its lines."""
    return tuple(json.loads(line) for line in report.json_lines(of, query))


def test_every_column_is_a_field_of_both() -> None:
    (row,) = csv_rows(snapshot(pio(0x70, ns=(100,))), Query(("port",)))
    _, line = json_rows(snapshot(pio(0x70, ns=(100,))), Query(("port",)))
    assert set(row) == set(line) - {"schema"}
    assert set(row) >= {column.json_name for column in ALL_COLUMNS}


def test_a_line_has_its_numbers_in_the_units_of_its_columns() -> None:
    reads = pio(0x608, ns=(100, 300, 500, 700), user_ns=(50,), vm="web", pid=7, tid=8, vcpu=3)
    of = snapshot(reads, start=1000.5, duration_s=0.5)
    _, group, line = json_rows(of)
    assert {name: line[name] for name in ("start", "duration_s", "about", "vm", "pid")} == {
        "start": 1000.5, "duration_s": 0.5, "about": "address", "vm": "web", "pid": 7,
    }  # fmt: skip
    assert (line["vcpu"], line["tid"], line["reason"]) == (3, 8, "IO_INSTRUCTION")
    assert (line["kind"], line["access"], line["name"]) == ("pio", "read", "acpi-tmr")
    assert (line["count"], line["per_s"], line["mean_ns"], line["max_ns"]) == (4, 8, 400, 700)
    assert (line["user"], line["user_mean_ns"], line["time"]) == (0.25, 50, 1)
    assert 0 < line["p50_ns"] < line["p99_ns"] <= 700
    assert (group["about"], group["kind"], group["address_hex"]) == ("group", None, None)
    assert [group[column.json_name] for column in COLUMNS] == [
        line[column.json_name] for column in COLUMNS
    ]


@pytest.mark.parametrize(("port", "text"), [(0x70, "0x0070"), (2**64 - 1, "0xffffffffffffffff")])
def test_an_address_is_a_number_and_also_hexadecimal_text(port: int, text: str) -> None:
    of = snapshot(pio(port, ns=(100,)))
    assert [(row["address"], row["address_hex"]) for row in csv_rows(of)[1:]] == [(str(port), text)]
    assert [(row["address"], row["address_hex"]) for row in json_rows(of)[2:]] == [(port, text)]


def test_unknown_values_are_empty_or_null() -> None:
    accesses = pio(0x1234, reason=None, isa=Isa.NONE, no_latency=9, vcpu=-1)
    of = snapshot(
        accesses, duration_s=0, origin=Origin("host", "6.18", "kvm_pvm", has_exit_events=False)
    )
    _, group, _ = json_rows(of)
    names = ["vcpu", "reason", "name", "named_by", "per_s", "time", "mean_ns", "p50_ns", "p99_ns"]
    assert [group[name] for name in names] == [None] * 9
    assert [csv_rows(of)[0][name] for name in names] == [""] * 9
    assert csv_rows(of)[0]["count"] == "9"


def test_the_interval_has_what_was_lost_and_what_is_not_shown() -> None:
    of = snapshot(*(pio(port, ns=(100,)) for port in range(7)), in_flight=3)
    interval, *lines = json_rows(of, Query(("port",), limit=2))
    assert (interval["lines"], interval["hidden"], len(lines)) == (2, 5, 2)
    assert (interval["exits"], interval["in_flight"]) == (7, 3)
    assert interval["lost"]["map_full"] == 0


def test_all_lines_are_there_however_many() -> None:
    of = snapshot(*(pio(port, ns=(100,)) for port in range(1511)))
    assert len(csv_rows(of, Query(("port",)))) == 1511


def test_guests_have_their_own_time_and_what_they_take() -> None:
    taken = GuestUsage(
        "web", 7, 1.0, (ThreadTimes(Role.VCPU, 1, 750_000_000, 0),), resident_bytes=4096
    )
    of = with_parts(
        snapshot(pio(0x608, ns=(100,), vm="web", pid=7), duration_s=1),
        *(600_000_000, 100_000_000, 50_000_000, 0, 250_000_000),
    )
    (row,) = csv_rows(replace(of, usage=HostUsage((taken,))), Query(("vm",)))
    assert {name: float(row[name]) for name in ("in_guest", "idle", "vcpu_cpu")} == {
        "in_guest": pytest.approx(0.6), "idle": pytest.approx(0.25), "vcpu_cpu": 0.75,
    }  # fmt: skip
    assert (row["resident_bytes"], row["swapped"]) == ("4096", "")
    (by_reason,) = csv_rows(of, Query(("reason",)))
    assert (by_reason["in_guest"], by_reason["resident_bytes"]) == ("", "")


@given(snapshots())
def test_both_say_the_same(of: Snapshot) -> None:
    _, *lines = json_rows(of)
    rows = csv_rows(of)
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        for column in COLUMNS:
            value = line[column.json_name]
            assert row[column.json_name] == ("" if value is None else repr(value))


@given(snapshots())
def test_lines_of_groups_add_up_to_all_exits(of: Snapshot) -> None:
    interval, *lines = json_rows(of)
    groups = [line for line in lines if line["about"] == "group"]
    assert sum(line["count"] for line in groups) == interval["exits"] == of.exits
    assert sum(int(row["count"]) for row in csv_rows(of) if row["about"] == "group") == of.exits


def test_no_cell_is_a_formula() -> None:
    rows = csv_rows(snapshot(Exits("HLT", ns=(5,), vm="=1+2")), Query(("vm",)))
    assert [row["vm"] for row in rows] == ["'=1+2"]
