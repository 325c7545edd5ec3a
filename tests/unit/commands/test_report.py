"""`report` and `top` as JSON and CSV, on recordings written for them."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import Result

from bpfexit.cli import cli
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.losses import Lost
from tests.unit.builders import Exits, pio, snapshot
from tests.unit.invoking import invoke

SECONDS = [
    snapshot(
        pio(0x608, ns=(100,) * (3 + n), vm="web"),
        Exits("CPUID", ns=(70,) * 2, vm="db", pid=200, tid=201),
        start=1000.0 + n,
        lost=Lost(map_full=n),
    )
    for n in range(3)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    recording = tmp_path / "exits.jsonl"
    recording.write_text("".join(f"{snapshot_json.encode(each)}\n" for each in SECONDS))
    return recording


def run(*arguments: str) -> Result:
    return invoke(cli, *arguments, standalone_mode=False)


def rows(*arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(run(*arguments, "--csv").stdout.splitlines()))


def counts(found: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(row["start"], row["reason"], row["count"]) for row in found if row["about"] == "group"]


def test_a_report_is_all_of_the_recording(path: Path) -> None:
    assert counts(rows("report", str(path))) == [
        ("1000.0", "IO_INSTRUCTION", "12"),
        ("1000.0", "CPUID", "6"),
    ]


def test_with_timeline_it_is_each_interval_of_the_window(path: Path) -> None:
    apart = rows("report", str(path), "--timeline", "--from", "1")
    assert counts(apart) == [
        ("1001.0", "IO_INSTRUCTION", "4"),
        ("1001.0", "CPUID", "2"),
        ("1002.0", "IO_INSTRUCTION", "5"),
        ("1002.0", "CPUID", "2"),
    ]
    assert apart == rows("top", "--input", str(path), "--by", "reason")[2:]


def test_groupings_filters_and_rows_apply(path: Path) -> None:
    (row,) = rows("report", str(path), "--by", "vm", "-p", "200")
    assert (row["vm"], row["pid"], row["count"]) == ("db", "200", "6")
    (row,) = rows("report", str(path), "--by", "port", "-n", "1", "--sort", "count")
    assert (row["address_hex"], row["count"]) == ("0x0608", "12")


def test_top_has_a_header_once_and_the_lines_of_each_interval(path: Path) -> None:
    lines = run("top", "--csv", "--input", str(path), "--by", "vm", "1", "2").stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["start", *["1000.0"] * 2, *["1001.0"] * 2]


def test_json_has_a_document_on_each_interval(path: Path) -> None:
    documents = [json.loads(line) for line in run("report", "-j", str(path)).stdout.splitlines()]
    assert [each["about"] for each in documents] == ["all", "group", "address", "group"]
    assert documents[0]["lost"]["map_full"] == 3
    apart = run("report", "-j", "--timeline", str(path)).stdout.splitlines()
    whole = [each for each in map(json.loads, apart) if each["about"] == "all"]
    assert [each["lost"]["map_full"] for each in whole] == [0, 1, 2]


@pytest.mark.parametrize("command", [["report"], ["report", "--timeline"], ["top", "--input"]])
def test_csv_leaves_losses_to_stderr(path: Path, command: list[str]) -> None:
    assert (
        "bpfexit: 3 exits in no row, the map is full (map_full)\n"
        in run(*command, str(path), "--csv").stderr
    )


@pytest.mark.parametrize("command", [["report"], ["top", "--input"]])
def test_two_forms_at_once_are_refused(path: Path, command: list[str]) -> None:
    failed = run(*command, str(path), "-j", "--csv").exception
    assert isinstance(failed, UsageError)


@pytest.mark.parametrize("form", [["-j"], ["--csv"], ["--csv", "--timeline"]])
def test_an_empty_window_is_an_error_and_prints_nothing(path: Path, form: list[str]) -> None:
    result = run("report", str(path), "--from", "9", *form)
    assert isinstance(result.exception, BpfexitError)
    assert result.stdout == ""


NAME = "a-name-longer-than-the-columns-that-a-timeline-leaves-on-a-terminal"


@pytest.fixture
def long_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a recording of a guest with a long name; lines have no width to fit into."""
    monkeypatch.delenv("COLUMNS", raising=False)
    recording = tmp_path / "name.jsonl"
    recording.write_text(f"{snapshot_json.encode(snapshot(pio(0x70, ns=(5,), vm=NAME)))}\n")
    return str(recording)


def test_in_a_pipe_a_timeline_cuts_no_name_and_its_curves_have_one_length(long_name: str) -> None:
    *_, line = run("report", "--timeline", "--by", "vm,reason", long_name).stdout.splitlines()
    name, reason, curve, *_ = line.split()
    assert (name, reason, len(curve)) == (NAME, "IO_INSTRUCTION", 60)


def test_in_a_pipe_a_comparison_cuts_no_name_and_has_all_columns(
    long_name: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(f"{snapshot_json.encode(snapshot(pio(0x70, ns=(9,) * 2, vm=NAME)))}\n")
    text = run("diff", "--by", "vm,port", long_name, str(other)).stdout
    assert NAME in text
    for column in ("time/s", "ratio", "p50", "p99", "user%"):
        assert column in text
    assert max(map(len, text.splitlines())) < 240
