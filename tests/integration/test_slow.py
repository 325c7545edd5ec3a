"""`bpfexit slow`: every slow trip to user space is there, or counted as not told."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bpfexit.guests.guests import Guests
from bpfexit.host import kernel
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.model.slow import Slow, Threshold
from bpfexit.tracer import choices
from bpfexit.tracer.host_plan import TYPED_TASK
from bpfexit.tracer.source import KernelSource
from tests.counting import BPFEXIT, recorded
from tests.slow_guest import DELAY_US, parts, record_slow_guest, waiting_guest

pytestmark = pytest.mark.usefixtures("needs_kvm")

MIX = "pio-read-user=13,pio-write-user=7,mmio-read-user=11,pio-read-kernel=997"
SLOW_ONES = Counter({(0x608, "read"): 13, (0xC050, "write"): 7, (0xD0000000, "read"): 11})
MEASURES_ALL = kernel.release() >= TYPED_TASK
"""Whether this kernel allows to measure how long threads wait and are blocked."""

READS = 101


def slow_reads(host: Ready, rate: int) -> Slow:
    """Count slow reads with no reading of the buffer until they are over."""
    threshold = Threshold(DELAY_US * 1000, rate)
    with waiting_guest(f"pio-read-user={READS}") as (ready, run):
        wanted = Filter(pids=(ready["pid"],))
        source = KernelSource(host.backend, host.tracefs, wanted, Guests(), threshold=threshold)
        try:
            run()
        finally:
            last = source.close()
    assert last
    assert last.slow
    return last.slow


@pytest.fixture(scope="module")
def recording(needs_bpf: Ready, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slow") / "slow.jsonl.gz"
    record_slow_guest(MIX, path, *(["--blocked"] if MEASURES_ALL else []))
    return path


def listed(recording: Path, *options: str) -> tuple[list[str], str]:
    command = [*BPFEXIT, "slow", "--input", str(recording), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines(), done.stderr


def test_each_slow_access_is_told_of_once(recording: Path) -> None:
    lines, said = listed(recording, "-j")
    told = [json.loads(line) for line in lines]
    # With exit events, what lost its CPU for so long is told of, too, wherever that was.
    served = [each for each in told if each["user_ns"] >= DELAY_US * 1000]
    assert Counter((each["address"], each["access"]) for each in served) == SLOW_ONES
    assert all(max(each["ns"] or 0, each["user_ns"]) >= DELAY_US * 1000 for each in told)
    assert f"{len(told)} exits took 2.00ms or longer" in said


def test_their_parts_add_up_to_those_of_the_rows(recording: Path) -> None:
    lines, _ = listed(recording, "-j")
    told = parts(map(json.loads, lines))
    of_rows = parts(row for each in recorded(recording) for row in each["rows"])
    for name in ("user_wait_ns", "user_blocked_ns"):
        assert told[name] == (of_rows[name] if MEASURES_ALL else None)
    if MEASURES_ALL:
        assert (told["user_blocked_ns"] or 0) > SLOW_ONES.total() * DELAY_US * 1000 / 2


def test_they_are_listed_as_lines_too(recording: Path) -> None:
    lines, _ = listed(recording)
    assert sum("0x0608 read" in line for line in lines) == SLOW_ONES[0x608, "read"]


def test_a_filter_chooses_among_those_recorded(recording: Path) -> None:
    lines, said = listed(recording, "-j", "-v", "5")
    assert lines == []
    assert "0 exits" in said


def test_a_recording_without_them_says_how_to_have_them(tmp_path: Path) -> None:
    path = Path("bpfexit/data/svm-demo.jsonl.gz")
    command = [*BPFEXIT, "slow", "--input", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "--events slow" in done.stderr


def test_what_is_beyond_the_rate_is_counted(needs_bpf: Ready) -> None:
    slow = slow_reads(needs_bpf, rate=5)
    assert slow.limited > 0
    assert slow.dropped == 0
    assert slow.count == READS


def test_what_finds_no_room_in_the_buffer_is_counted(
    needs_bpf: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "SLOW_PAGES", 1)
    slow = slow_reads(needs_bpf, rate=10**6)
    assert slow.dropped > 0
    assert slow.limited == 0
    assert slow.count == READS
