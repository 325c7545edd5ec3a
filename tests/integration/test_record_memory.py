"""`bpfexit record` of very many rows: exact, and within its memory."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bpfexit.events.mmio import MMIO
from bpfexit.model.filter import Filter
from bpfexit.recording.total import total
from tests.counting import BPFEXIT, next_line, started, until_counting, write
from tests.walking import walk

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

ROWS = 200_000
ROOM = 1 << 18
MOST_MIB = 250


# All rows new within one interval is the most that can be asked for.
@pytest.mark.parametrize("interval", ["1", "600"])
def test_200_000_rows_are_exact_and_stay_under_250_mb(tmp_path: Path, interval: str) -> None:
    path = tmp_path / "exits.jsonl.gz"
    with started([sys.executable, "-m", "tests.walking", str(ROWS)]) as machine:
        pid = json.loads(next_line(machine))["pid"]
        options = ("-o", str(path), "-i", interval, "-p", str(pid), "--max-rows", str(ROOM))
        with started([*BPFEXIT, "record", *options], stderr=subprocess.PIPE) as tracer:
            until_counting(tracer)
            write(machine, "\n")
            exits = json.loads(next_line(machine))["exits"]
            tracer.send_signal(signal.SIGINT)
            peak = peak_mib(tracer)
            _, said = tracer.communicate()
        machine.communicate()
    assert tracer.returncode == 0
    assert "lost: nothing" in said
    rows = total(path, Filter()).snapshot.rows
    rows = rows.take(rows["kind"] == MMIO)
    counts = dict(zip(rows["address"].tolist(), rows["count"].tolist(), strict=True))
    assert len(counts) == ROWS
    assert counts == {step.address: step.weight for step in walk(ROWS)}
    assert sum(counts.values()) == exits
    print(f"{peak:.0f} MiB at most")
    assert peak < MOST_MIB


def peak_mib(process: subprocess.Popen[str]) -> float:
    """Return the most that was ever resident, mapped files included; wait for the end."""
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        peak = max([peak, *(int(line.split()[1]) for line in found)])
        time.sleep(0.005)
    return peak / 1024
