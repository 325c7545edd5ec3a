"""What is measured on request, on this machine's KVM: views in recordings, and blocked time."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.counting import next_line, write
from tests.integration.recorded import ended, guest, intervals, recording, run

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

DELAY_US = 2000


def recorded_run(path: Path, *guest_options: str, options: tuple[str, ...]) -> None:
    """Record one round of a guest."""
    with (
        guest(*guest_options, "--rounds", "1") as (machine, ready),
        recording(path, "-i", "0.2", "-p", str(ready["pid"]), *options) as tracer,
    ):
        write(machine, "\n")
        json.loads(next_line(machine))
        ended(tracer)


def test_a_view_is_recorded_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    mix = ("--mix", "cpuid=1013,pio-read-kernel=997")
    recorded_run(path, *mix, options=("--by", "cpuid"))
    found = intervals(path)
    leaves: Counter[str] = Counter()
    for interval in found:
        assert interval["views"] == ["cpuid"]
        for row in interval["rows"]:
            leaves[row["kind"]] += row["count"]
    assert (leaves["cpuid"], leaves["pio"]) == (1013, 997 + 1)  # the guest ends by a write
    shown = run("report", str(path), "--by", "cpuid", "-j")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert sum(line["count"] for line in lines if line.get("kind") == "cpuid") == 1013
    lacking = run("report", str(path), "--by", "apic")
    assert "has no view by apic: record it with `bpfexit record --by apic`" in lacking.stderr


def test_the_time_in_user_space_is_split(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    mix = ("--mix", "pio-read-user=101,pio-read-kernel=97", "--user-delay", str(DELAY_US))
    recorded_run(path, *mix, options=("--blocked",))
    served = Counter[str]()
    for interval in intervals(path):
        assert interval["has_blocked"] is True
        for row in interval["rows"]:
            if row["address"] == 0x608:
                names = ("count", "user_count", "user_ns", "user_wait_ns", "user_blocked_ns")
                served.update({name: row[name] for name in names})
    assert served["count"] == served["user_count"] == 101
    # Each access sleeps so long at least; a part of the call is before the thread does.
    assert served["user_blocked_ns"] > 101 * DELAY_US * 1000 // 2
    assert served["user_wait_ns"] + served["user_blocked_ns"] < served["user_ns"]
    shown = run("report", str(path), "--by", "port", "-j")
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    (line,) = (line for line in lines if line.get("address") == 0x608)
    parts = [line[name] for name in ("user_wait", "user_blocked", "user_cpu")]
    assert sum(parts) == pytest.approx(1)
