"""JSON, CSV, folded stacks and stars: each read by what others read them with."""

import csv
import io
import json
import re

import pytest
from hypothesis import given

from bpfexit.formats.hist import csv as hist_csv
from bpfexit.formats.hist import folded as hist_folded
from bpfexit.formats.hist import json as hist_json
from bpfexit.formats.hist import text as hist_text
from bpfexit.formats.hist.folded import by_count, by_time
from bpfexit.model.distribution import Distribution, distributions
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable
from bpfexit.model.view import Query
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots
from tests.unit.formats.distributed import ALL, SAMPLES, any_distributions, of, whole

HOSTILE = ["a;b 7\nc 8", "\x1b[2J", "", " ", "\ud800", "\u202e", "=1+1", 'q"', "x" * 300]
FLAMEGRAPH = re.compile(r"^(.*)\s+?(\d+(?:\.\d*)?)$")
"""How flamegraph.pl and stackcollapse scripts part a stack from its number."""

ROW = re.compile(r"^ +\S+ -> \S+ +: +([0-9,]+) \|(\**) *\|$")


@given(any_distributions())
def test_json_lines_hold_every_exit(found: list[Distribution]) -> None:
    lines = [json.loads(line) for line in whole(hist_json.encode(found)).splitlines()]
    assert [each["count"] for each in lines] == [each.count for each in found]
    assert [sum(c for _, _, c in each["buckets"]) for each in lines] == [e.count for e in found]
    assert [each["vm"] for each in lines] == [each.labels["vm"] for each in found]


@given(SAMPLES)
def test_json_and_csv_bounds_leave_out_the_upper_one(samples: list[int]) -> None:
    line = json.loads(whole(hist_json.encode([of(samples)])))
    rows = list(csv.DictReader(io.StringIO(whole(hist_csv.encode([of(samples)])))))
    fields = ("lower_ns", "upper_ns", "count")
    assert [[int(row[name]) for name in fields] for row in rows] == line["buckets"]
    for lower, upper, count in line["buckets"]:
        assert count == sum(lower <= ns < upper for ns in samples)


@given(any_distributions())
def test_csv_has_every_exit_and_as_many_fields_in_each_line(found: list[Distribution]) -> None:
    header, *rows = csv.reader(io.StringIO(whole(hist_csv.encode(found))))
    assert tuple(header) == hist_csv.HEADER
    assert {len(row) for row in rows} <= {len(header)}
    assert sum(int(row[header.index("count")]) for row in rows) == sum(each.count for each in found)


@pytest.mark.parametrize(
    "vm",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\uff1dA1", "\uff0b1", "\uff0d1", "\uff20A1"),
        *(" =1", "'=1", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "a=1", "web-1"),
    ],
)
def test_no_csv_cell_is_a_formula(vm: str) -> None:
    rows = list(csv.reader(io.StringIO(whole(hist_csv.encode([of([5], vm=vm)])))))
    cell = rows[1][0]
    assert cell.lstrip(" \t\r\n")[0] not in "=+-@\uff1d\uff0b\uff0d\uff20"
    assert cell.removeprefix("'") == printable(vm) or cell == printable(vm)


def test_a_csv_cell_that_is_text_stays_as_it_is() -> None:
    assert whole(hist_csv.encode([of([5], vm="web-1")])).splitlines()[1].startswith("web-1,")


@given(snapshots())
def test_stacks_weigh_what_there_is(given_snapshot: Snapshot) -> None:
    found = distributions(given_snapshot, ALL)
    counts = stacks(whole(hist_folded.encode(found, by_count)))
    assert sum(counts.values()) == given_snapshot.exits
    times = stacks(whole(hist_folded.encode(found, by_time)))
    busy = given_snapshot.rows["total_ns"][~given_snapshot.idle]
    assert sum(times.values()) == int(busy.sum())


def stacks(text: str) -> dict[tuple[str, ...], int]:
    found = {}
    for line in text.splitlines():
        match = FLAMEGRAPH.match(line)
        assert match
        assert line.count(" ") == 1
        frames = tuple(match[1].split(";"))
        assert all(frames)
        assert frames not in found
        found[frames] = int(match[2])
    return found


@pytest.mark.parametrize("vm", HOSTILE)
def test_a_hostile_name_is_one_frame(vm: str) -> None:
    found = distributions(snapshot(pio(0x608, ns=(5,), vm=vm)), ALL)
    ((frames, number),) = stacks(whole(hist_folded.encode(found, by_count))).items()
    assert (len(frames), number) == (4, 1)
    assert frames[1:] == ("vCPU_0", "IO_INSTRUCTION", "0x0608_read_(acpi-tmr?)")
    assert frames[0].isprintable()


def test_guests_of_one_name_are_told_apart_by_their_process() -> None:
    of_two = snapshot(Exits(ns=(5,), pid=1), Exits(ns=(6, 7), pid=2), Exits(ns=(1,), vm="beta"))
    found = distributions(of_two, Query(("vm",)))
    assert stacks(whole(hist_folded.encode(found, by_count))) == {
        ("alpha_(1)",): 1,
        ("alpha_(2)",): 2,
        ("beta",): 1,
    }


def test_without_reasons_accesses_are_stacks() -> None:
    blind = snapshot(pio(0x70, reason=None, isa=Isa.NONE, no_latency=9))
    found = distributions(blind, Query(("vm", "port")))
    assert whole(hist_folded.encode(found, by_count)) == "alpha;0x0070_read_(rtc-index?) 9\n"
    assert whole(hist_folded.encode(found, by_time)) == ""


@given(any_distributions())
def test_stars_have_every_exit_in_80_columns(found: list[Distribution]) -> None:
    lines = whole(hist_text.encode(found)).splitlines()
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    matches = [match for match in map(ROW.match, lines) if match]
    assert len(lines) == len(matches) + len(found) + max(0, len(found) - 1)
    counted = sum(int(match[1].replace(",", "")) for match in matches)
    assert counted == sum(each.count for each in found)


def test_stars_in_full() -> None:
    samples = [500] * 40 + [1023, 1024] + [5_000_000]
    text = whole(hist_text.encode([of(samples, coarse=True)])).splitlines()
    assert text[0] == "alpha  43 exits, mean 117us, max 5ms"
    assert text[1] == f"    256ns -> 512ns   : {40:>9} |{'*' * 40}|"
    assert text[2] == f"    512ns -> 1.02us  : {1:>9} |*{' ' * 39}|"
    assert text[3] == f"   1.02us -> 2.05us  : {1:>9} |*{' ' * 39}|"
    assert len(text) == 1 + (23 - 8)


@pytest.mark.parametrize("vm", HOSTILE)
def test_a_title_is_one_printable_line(vm: str) -> None:
    title, *rows = whole(hist_text.encode([of([5], vm=vm)])).splitlines()
    assert title.isprintable()
    assert len(title) <= 80
    assert len(rows) == 1


def test_counts_that_are_huge_still_fit() -> None:
    (each,) = distributions(snapshot(Exits(ns=(5,))), Query(("vm",)))
    each.counts[0] = 10**18
    assert max(map(len, whole(hist_text.encode([each])).splitlines())) <= 80
