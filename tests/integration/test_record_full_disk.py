"""A recording on a disk that is full."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bpfexit.model.filter import Filter
from bpfexit.recording.total import total
from tests.counting import write
from tests.integration.recorded import guest, recording, run
from tests.requirements import lacking
from tests.waiting import ENOUGH_S

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "bpfexit-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        lacking("root", "mounting a tmpfs is not allowed")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["exits.jsonl", "exits.jsonl.gz"])
def test_a_full_disk_ends_with_a_sentence_and_a_whole_file(small_disk: Path, name: str) -> None:
    path = small_disk / name
    with guest("--duration", "600") as (machine, ready):
        write(machine, "\n")
        only = ("-p", str(ready["pid"]))  # an interval of many guests does not fit on it
        done = run("record", "-o", str(path), "-i", "0.1", *only, timeout=ENOUGH_S)
        machine.kill()
    assert done.returncode == 1
    assert "No space left on device; it is complete up to" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    found = total(path, Filter())
    assert found.intervals >= 1
    assert found.cut is None


def test_a_disk_that_is_full_from_the_start_leaves_no_file(small_disk: Path) -> None:
    path, filler = small_disk / "exits.jsonl", small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 512):
            pass
    done = run("record", "-o", str(path), "-d", "0.1")
    assert done.returncode == 1
    assert "No space left on device; nothing was recorded" in done.stderr.splitlines()[-1]
    assert not path.exists()
    filler.unlink()
    assert run("record", "-o", str(path), "-d", "0.1").returncode == 0


@pytest.mark.parametrize(("code", "told"), [(0, 1), (7, 7)])
def test_a_full_disk_is_told_of_while_the_command_goes_on(
    small_disk: Path, code: int, told: int
) -> None:
    path = small_disk / "exits.jsonl"
    command = ("--", "sh", "-c", f"read line; exit {code}")
    with guest("--duration", "600") as (machine, ready):
        write(machine, "\n")
        with recording(path, "-i", "0.1", "-p", str(ready["pid"]), *command) as tracer:
            assert tracer.stderr
            assert any("the command goes on, unrecorded" in line for line in tracer.stderr)
            assert tracer.poll() is None
            write(tracer, "\n")
            tracer.communicate(timeout=ENOUGH_S)
            assert tracer.returncode == told
        machine.kill()
    assert total(path, Filter()).cut is None
