"""`bpfexit hist` as a person runs it: on the shipped recording, and on this machine."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.recording.total import total
from tests.counting import until_counting
from tests.ending import ended
from tests.openmetrics import only_family

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = CHECKOUT / "bpfexit" / "data" / "svm-demo.jsonl.gz"
HIST = (sys.executable, "-m", "bpfexit", "hist")


def hist(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HIST, *options], capture_output=True, text=True, check=False, cwd=CHECKOUT
    )


@pytest.fixture(scope="module")
def exits() -> int:
    """Count the exits of the demo, all of which have a latency."""
    snapshot = total(DEMO, Filter()).snapshot
    assert int(snapshot.rows["timed"].sum()) == snapshot.exits
    return snapshot.exits


def test_every_format_has_every_exit_of_the_demo(exits: int) -> None:
    said = {form: _output("-f", form) for form in ("json", "csv", "bpftrace", "folded")}
    lines = [json.loads(line) for line in said["json"].splitlines()]
    assert sum(each["count"] for each in lines) == exits
    rows = csv.DictReader(said["csv"].splitlines())
    assert sum(int(row["count"]) for row in rows) == exits
    keys = json.loads(said["bpftrace"])["data"]["@exit_ns"].values()
    assert sum(bucket["count"] for key in keys for bucket in key) == exits
    assert sum(int(line.split()[-1]) for line in said["folded"].splitlines()) == exits
    family = only_family(_output("-f", "openmetrics"))
    counts = [each.value for each in family.samples if each.name.endswith("_count")]
    assert sum(counts) == exits


def _output(*options: str) -> str:
    done = hist("--input", str(DEMO), *options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_examples_in_the_help_work_as_pasted(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "run.jsonl.gz")
    examples = [line for line in hist("--help").stdout.splitlines() if "--input run" in line]
    assert len(examples) == 2
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for example in examples:
        command = ["bash", "-c", example]
        subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"PATH": path})
    folded = (tmp_path / "exits.folded").read_text()
    assert folded.startswith("pid:138;vCPU_0;io;0x0608_read_(acpi-tmr?) 52483\n")
    assert "#[Mean" in (tmp_path / "exits.hgrm").read_text()


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    command = f"{' '.join(HIST)} --input {DEMO} -f csv --by vm,vcpu,reason,port,mmio,msr"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_ends_with_the_result(needs_bpf: preflight.Ready) -> None:
    with subprocess.Popen(
        [*HIST, "-f", "folded"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until_counting(process)
        process.send_signal(signal.SIGINT)
        code, said = ended(process)
    assert code == 0, said


def test_a_host_without_exits_says_so(needs_bpf: preflight.Ready) -> None:
    if needs_bpf.backend.has_exit_events:
        pytest.skip("this host's KVM emits exits")
    done = hist("-d", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "has no kvm_exit event, so there are no latencies" in done.stderr
