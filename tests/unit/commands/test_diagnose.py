"""What `diagnose` refuses and says, on recordings written for it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bpfexit.advice.registry import RULES
from bpfexit.commands.diagnose import diagnose
from bpfexit.errors import UsageError
from bpfexit.formats.json import snapshot as snapshot_json
from tests.unit.advice.cases import CASES, SVM, seen

SLOW = seen(CASES["pm-timer"].exits(SVM, 2000, 100_000), backend=SVM)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "exits.jsonl"
    path.write_text(snapshot_json.encode(SLOW) + "\n")
    return path


def run(*options: str) -> Result:
    return CliRunner().invoke(diagnose, options)


def test_a_recording_is_judged(path: Path) -> None:
    assert "ACPI PM timer" in run("--input", str(path)).output
    lines = [json.loads(line) for line in run("-j", "--input", str(path)).output.splitlines()]
    assert [line["about"] for line in lines] == ["all", "guest", "finding"]


def test_a_recording_that_is_cut_is_judged_and_said_to_be(path: Path) -> None:
    text = path.read_text()
    path.write_text(text + text[:40])
    assert "is incomplete" in run("--input", str(path)).output


def test_a_duration_is_not_for_a_recording(path: Path) -> None:
    failed = run("--input", str(path), "-d", "5").exception
    assert isinstance(failed, UsageError)
    assert "reads the whole recording" in str(failed)


def test_rules_are_listed_and_explained() -> None:
    listed = run("--rules").output
    assert all(rule.name in listed for rule in RULES)
    assert "threshold" in run("--explain", "pm-timer").output


def test_a_rule_that_is_not_there_is_refused_with_the_nearest() -> None:
    failed = run("--explain", "pm-timr").exception
    assert isinstance(failed, UsageError)
    assert "did you mean 'pm-timer'?" in str(failed)
    escaped = str(run("--explain", "\x1b[1m").exception)
    assert "\x1b" not in escaped
    assert "pm-timer" in escaped
