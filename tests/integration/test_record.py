"""`bpfexit record`: what was recorded is exact, however it ends; `report` shows it."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.model.filter import Filter
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total
from tests.counting import BPFEXIT, Counted, next_line, recorded, write
from tests.integration.recorded import MIX, ended, guest, intervals, recording, run
from tests.waiting import ENOUGH_S, eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

KILLS = 8


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_a_recording_has_exactly_what_the_guest_did(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with (
        guest("--mix", MIX, "--rounds", "1") as (machine, ready),
        recording(path, "-i", "0.2", "-p", str(ready["pid"])) as tracer,
    ):
        write(machine, "\n")
        done = json.loads(next_line(machine))
        said = ended(tracer)
    assert_exact(Counted(done, intervals(path)))
    assert "lost: nothing" in said
    header = RecordingSource(path, Filter()).header
    assert header is not None
    assert [each.pid for each in header.guests] == [ready["pid"]]
    assert header.interval_s == 0.2
    shown = run("report", str(path), "--by", "port")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "0x0021 read" in shown.stdout
    assert "█" in run("report", str(path), "--timeline").stdout


def test_after_a_hangup_two_files_have_it_all(tmp_path: Path) -> None:
    path, old = tmp_path / "exits.jsonl.gz", tmp_path / "exits.1.jsonl.gz"
    with (
        guest("--mix", MIX, "--rate", "10000") as (machine, ready),
        recording(path, "-i", "0.1", "-p", str(ready["pid"])) as tracer,
    ):
        write(machine, "\n")
        eventually(lambda: counted_in(path))
        path.rename(old)
        tracer.send_signal(signal.SIGHUP)
        eventually(lambda: counted_in(path))
        machine.send_signal(signal.SIGINT)
        done = json.loads(next_line(machine))
        ended(tracer)
    assert_exact(Counted(done, intervals(old, path)))
    assert RecordingSource(path, Filter()).header is not None


def assert_exact(counted: Counted) -> None:
    places, done = counted.places(), counted.done()
    assert done
    assert {place: places[place] for place in done} == done
    assert counted.lost == {}


def counted_in(path: Path) -> int:
    """Return how many accesses a file has by now."""
    try:
        return total(path, Filter()).snapshot.exits
    except BpfexitError:
        return 0


def test_only_root_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    assert run("record", "-o", str(path), "-d", "0.1").returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_kill_9_never_leaves_an_unreadable_file(tmp_path: Path) -> None:
    chosen = random.Random(7)  # noqa: S311 - any moments will do
    path = tmp_path / "exits.jsonl.gz"
    before = 0
    with guest("--duration", "600") as (machine, _):
        write(machine, "\n")
        for _ in range(KILLS):
            with recording(path, "-i", "0.1", "--append") as tracer:
                eventually(partial(has_intervals, path, before + 1))
                time.sleep(chosen.uniform(0, 0.3))
                tracer.kill()
                tracer.communicate()
            found = total(path, Filter())
            assert found.intervals > before
            before = found.intervals
        machine.kill()


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_the_exit_code_is_the_commands(tmp_path: Path, script: str, code: int) -> None:
    path = tmp_path / "exits.jsonl"
    command = ("sh", "-c", f"echo from the command; {script}")
    done = run("record", "-i", "3600", "-o", str(path), "--", *command)
    assert (done.returncode, done.stdout) == (code, "from the command\n")
    assert total(path, Filter()).intervals == 1


def test_ctrl_c_reaches_the_command_and_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    script = "trap 'exit 9' INT TERM; echo ready; while :; do sleep 0.05; done"
    command = [*BPFEXIT, "record", "-o", str(path), "--", "sh", "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as tracer:
        assert tracer.stdout
        assert tracer.stdout.readline() == "ready\n"
        os.killpg(tracer.pid, signal.SIGINT)
        tracer.communicate(timeout=ENOUGH_S)
        assert tracer.returncode == 9
    assert total(path, Filter()).cut is None


def test_a_command_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    done = run("record", "-o", str(path), "--", "no-such-command")
    assert done.returncode == 1
    why = "command not found (-o names the file)"
    assert done.stderr == f"bpfexit: cannot start no-such-command: {why}\n"
    assert not path.exists()


def test_an_existing_file_is_only_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    command = ("record", "-o", str(path), "-d", "0.1")
    assert run(*command).returncode == 0
    before = path.read_bytes()
    refused = run(*command)
    assert refused.returncode == 1
    assert "exists: give another name, or append with --append" in refused.stderr.splitlines()[-1]
    assert path.read_bytes() == before
    assert run(*command, "--append").returncode == 0
    assert path.read_bytes().startswith(before)
    assert total(path, Filter()).intervals == 2


def test_a_file_that_is_recorded_to_is_not_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    with recording(path, "-i", "0.1", "--append") as tracer:
        eventually(lambda: path.exists() and path.stat().st_size)
        refused = run("record", "-o", str(path), "-d", "0.1", "--append")
        assert refused.returncode == 1
        why = f"cannot write {path}: process {tracer.pid} records to it; stop it, or give"
        assert why in refused.stderr.splitlines()[-1]
        ended(tracer)
    assert recorded(path)


def test_a_file_that_is_emptied_is_gone_on_with_and_one_that_is_removed_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "exits.jsonl"
    with recording(path, "-i", "0.1") as tracer:
        eventually(lambda: path.exists() and path.stat().st_size > 2000)
        os.truncate(path, 0)
        eventually(lambda: counted_intervals(path) > 1)
        path.unlink()
        _, said = tracer.communicate(timeout=ENOUGH_S)
        assert tracer.returncode == 1
    assert f"another process has emptied {path}: the recording starts over" in said
    last = f"bpfexit: {path} was removed during the recording and is lost; start a new"
    assert said.splitlines()[-1].startswith(last)
    assert not path.exists()


def counted_intervals(path: Path) -> int:
    try:
        return total(path, Filter()).intervals
    except BpfexitError:
        return 0


def has_intervals(path: Path, number: int) -> bool:
    return counted_intervals(path) >= number


def has_bytes(path: Path, number: int) -> bool:
    return path.exists() and path.stat().st_size >= number


def test_memory_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl.gz"
    sizes: Counter[int] = Counter()
    with guest("--duration", "600") as (machine, _):
        write(machine, "\n")
        with recording(path, "-i", "0.1") as tracer:
            for at in (10_000, 40_000):
                eventually(partial(has_bytes, path, at + 1))
                sizes[at] = resident_kib(tracer.pid)
            ended(tracer)
        machine.kill()
    assert sizes[40_000] - sizes[10_000] < 4096


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
