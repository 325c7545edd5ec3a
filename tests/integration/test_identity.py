"""Guests that are gone before anybody looks keep their names, and two that had one PID are two."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.counting import BPFEXIT, until_counting

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm", "needs_root")

SHORT, LONG = 1000, 3000
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
CODE = (
    "import sys; sys.argv = ['bpfexit', 'testguest', *{!r}]; "
    "from bpfexit.__main__ import main; main()"
)


def run_guest(name: str, exits: int, pid: int | None = None) -> int:
    """Run a guest of that name to its end, with this PID if one is given; return its PID."""
    mix = ["--mix", "pio-read-kernel=10", "--exits", str(exits), "--json"]
    command = [sys.executable, "-c", CODE.format(mix), "-name", f"guest={name}"]
    for _ in range(100):
        if pid is not None:
            LAST_PID.write_text(str(pid - 1))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guest:
            if pid not in (None, guest.pid):  # another process was faster
                guest.kill()
                continue
            output, _ = guest.communicate()
            return int(json.loads(output)["pid"])
    raise AssertionError(f"no process got the number {pid}")


def beside_two_guests(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command of bpfexit while two guests, one after another, have one PID."""
    with subprocess.Popen(
        [*BPFEXIT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tracer:
        try:
            until_counting(tracer)
            pid = run_guest("first", SHORT)
            assert run_guest("second", LONG, pid) == pid
        finally:
            tracer.send_signal(signal.SIGINT)
        output, said = tracer.communicate()
        assert tracer.returncode == 0, said
    return pid, output


def exits(rows: list[dict[str, object]], pid: int) -> Counter[str]:
    """Count exits on the port of the mix by guest."""
    total: Counter[str] = Counter()
    for row in rows:
        if row["pid"] == pid and row["address"] == 0x21:
            total[str(row["vm"])] += int(str(row["count"]))
    return total


def test_each_has_its_own_exits_within_an_interval() -> None:
    pid, output = beside_two_guests(["top", "-j", "-i", "3600"])
    (line,) = output.splitlines()
    document = json.loads(line)
    assert exits(document["rows"], pid) == {"first": SHORT, "second": LONG}
    assert pid in document["ended_pids"]


def test_histograms_name_guests_that_have_ended() -> None:
    _, output = beside_two_guests(["hist", "-f", "folded", "--by", "vm,port"])
    stacks = [line.rsplit(" ", 1) for line in output.splitlines()]
    found = {stack.split(";")[0]: int(count) for stack, count in stacks if "0x0021" in stack}
    assert (found["first"], found["second"]) == (SHORT, LONG)


def test_a_recording_marks_both_as_ended(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    beside_two_guests(["record", "-i", "3600", "-o", str(path)])
    report = subprocess.run(
        [*BPFEXIT, "report", "--by", "vm", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "200"},
    ).stdout
    marked = [
        line.split("  ")[0] for line in report.splitlines() if line.startswith(("first", "second"))
    ]
    assert sorted(marked) == ["first (ended)", "second (ended)"]
    diagnosis = subprocess.run(
        [*BPFEXIT, "diagnose", "--json", "--input", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {"first", "second"} <= {json.loads(line).get("vm") for line in diagnosis.splitlines()}
