"""`bpfexit diff` on real recordings, made in one boot of the testbed with 6 s each.

A guest that reads the ACPI PM timer all the time (before), the same with hardly any such
reads (after), and once more as before, on a host that had less time for it (again).
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BEFORE, AFTER, AGAIN = (
    str(ROOT / f"tests/data/clock-{name}.jsonl.gz") for name in ("before", "after", "again")
)


def diff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bpfexit", "diff", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def documents(*arguments: str) -> list[dict[str, Any]]:
    found = diff("-j", *arguments)
    assert found.returncode == 0
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_the_clock_that_was_fixed_is_the_first_thing_it_says() -> None:
    found = diff(BEFORE, AFTER)
    assert (found.returncode, found.stderr) == (0, "")
    assert "per second saved" in found.stdout
    whole, group, address = documents("-n", "2", BEFORE, AFTER)
    assert whole["saved_ns_per_s"] > 100e6
    assert whole["hidden"] > 0
    assert (group["reason"], group["latency"]["verdict"]) == ("io", "faster")
    assert (address["address"], address["access"]) == (0x608, "read")
    assert address["rate_ratio"] < 0.02


def test_what_takes_as_long_as_before_is_noise() -> None:
    """The guest's other work comes three times as often; an exit of it costs what it did."""
    _, *lines = documents(BEFORE, AFTER)
    others = {line["address"]: line for line in lines if line["address"] not in (None, 0x608)}
    assert set(others) >= {0x21, 0xC050, 0xD0000000, 0xFEE00030, 0x79}
    assert {line["latency"]["verdict"] for line in others.values()} == {"noise"}
    assert all(2.5 < line["rate_ratio"] < 4 for line in others.values())


def test_hlt_has_a_rate_and_no_time() -> None:
    (hlt,) = (line for line in documents(BEFORE, AFTER) if line.get("reason") == "hlt")
    assert hlt["rate_ratio"] > 1
    assert hlt["saved_ns_per_s"] is hlt["after"]["mean_ns"] is None


def test_the_timer_reads_of_a_repeat_are_no_faster_or_slower() -> None:
    _, *lines = documents(BEFORE, AGAIN)
    verdicts = {line["address"]: line["latency"]["verdict"] for line in lines}
    assert verdicts[0x608] == verdicts[0xC050] == "noise"


def test_a_recording_and_itself_have_no_difference() -> None:
    assert diff(BEFORE, BEFORE).stdout.endswith("no difference\n")
    assert documents(BEFORE, BEFORE)[0]["same"] is True


@pytest.mark.parametrize(
    "arguments", [("--by", "vm,vcpu,reason"), ("--by", "port", "-n", "1"), ("--reason", "io")]
)
def test_views_and_filters_are_taken(arguments: tuple[str, ...]) -> None:
    found = diff(*arguments, BEFORE, AFTER)
    assert found.returncode == 0
    assert found.stdout.count("\n") > 6
    if "--reason" in arguments:
        assert "npf" not in found.stdout


def test_a_guest_without_a_name_is_matched_in_another_process() -> None:
    _, line, *_ = documents("--by", "vm", BEFORE, AFTER)
    assert (line["vm"], line["status"]) == ("pid:*", "changed")


def test_a_recording_that_is_cut_is_said_to_be(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    line = gzip.decompress(Path(BEFORE).read_bytes()).decode()
    cut.write_text(line + line[: len(line) // 2])
    found = diff(str(cut), AFTER)
    assert found.returncode == 0
    assert found.stderr.startswith(f"bpfexit: {cut} is incomplete: ")


def test_what_is_no_recording_ends_with_1_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("not a recording\n")
    found = diff(BEFORE, str(path))
    assert (found.returncode, found.stdout) == (1, "")
    assert str(path) in found.stderr


def test_one_recording_is_a_wrong_usage() -> None:
    assert diff(BEFORE).returncode == 2
