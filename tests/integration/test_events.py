"""`bpfexit events`: tracepoints of this machine's KVM, exact; its log and its refusals."""

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.counting import (
    BPFEXIT,
    count_events,
    events_by_source,
    next_line,
    started,
    until_counting,
)

MIX = "pio-read-user=503,pio-write-kernel=509,mmio-write-user=311,cpuid=1013,msr-read=1019"
TRACED = "^kvm_(pio|mmio|cpuid|msr)$"


@pytest.mark.usefixtures("needs_kvm")
def test_tracepoints_are_counted_exactly() -> None:
    result = count_events(["--mix", MIX, "--rounds", "1"], ["-t", "-f", TRACED, "-i", "0.3"])
    assert events_by_source(result) == {
        ("tracepoint", "kvm_pio"): 503 + 509 + 1,  # the last one ends the guest
        ("tracepoint", "kvm_mmio"): 311,
        ("tracepoint", "kvm_cpuid"): 1013,
        ("tracepoint", "kvm_msr"): 1019,
    }
    assert sum(each["lost"] for each in result.snapshots) == 0
    owners = {(each["pid"], each["guest"]) for row in result.snapshots for each in row["events"]}
    assert owners == {(result.guest["pid"], True)}


@pytest.mark.usefixtures("needs_kvm")
def test_a_log_is_reopened_at_sighup_and_each_file_has_its_heading(tmp_path: Path) -> None:
    log, rotated = tmp_path / "kvm.csv", tmp_path / "kvm.csv.1"
    guest = [*BPFEXIT, "testguest", "--mix", "cpuid", "--wait"]
    command = [*BPFEXIT, "events", "-t", "-f", "kvm_cpuid", "--csv", "-o", str(log), "0.1"]
    with started(guest) as machine:
        next_line(machine)
        with started(command, stderr=subprocess.PIPE, without_terminal=True) as running:
            until_counting(running)
            assert machine.stdin
            machine.stdin.write("\n")
            machine.stdin.flush()
            wait_for_lines(log, 3)
            log.rename(rotated)
            running.send_signal(signal.SIGHUP)
            wait_for_lines(log, 3)
            running.send_signal(signal.SIGINT)
            running.communicate()
            assert running.returncode == 0
        machine.send_signal(signal.SIGINT)
        machine.communicate()
    for path in (rotated, log):
        heading, *rows = csv.reader(path.open())
        assert heading[:6] == ["time", "process", "pid", "guest", "source", "event"]
        assert {row[5] for row in rows} == {"kvm_cpuid"}


def wait_for_lines(path: Path, number: int) -> None:
    while not path.exists() or path.read_text().count("\n") < number:
        time.sleep(0.05)


def events(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*BPFEXIT, "events", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_wrong_options_are_one_sentence() -> None:
    done = events("-f", "(")
    assert done.returncode == 2
    assert "'(' is not a regular expression" in done.stderr
    assert events("-j", "--csv").returncode == 2


@pytest.mark.usefixtures("needs_kvm")
@pytest.mark.usefixtures("needs_root")
def test_gauges_are_read_from_debugfs_whatever_the_lockdown() -> None:
    result = count_events(["--mix", "cpuid", "--rounds", "1"], ["-f", "pages_4k", "-i", "0.3"])
    rows = [row for interval in result.snapshots for row in interval["events"]]
    assert rows
    assert {(row["event"], row["source"], row["count"]) for row in rows} == {
        ("pages_4k", "gauge", None)
    }
    assert {row["pid"] for row in rows} == {result.guest["pid"]}


def test_json_is_of_its_schema() -> None:
    done = subprocess.run(
        [*BPFEXIT, "schema", "events"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["title"] == "bpfexit.events/2"
