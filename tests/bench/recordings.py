"""How long reading a recording takes as it grows, with guests that start and end all the time."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bpfexit.formats.json.recording import Header
from bpfexit.model.ended import MOST_ENDED
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.recording.writer import Recorder
from tests.bench.report import Report
from tests.peak import BPFEXIT, run
from tests.unit.builders import Exits, pio, snapshot

COMMANDS = {
    "report": (("report",), (4000, 8000, 16000)),
    "top -b --replay": (("top", "-b", "-n", "20", "--replay"), (1000, 2000, 4000)),
}


def report() -> Report:
    """Return the seconds and the peak of memory of each command and length."""
    rows = [
        (name, f"{intervals:,}", f"{seconds:.1f}", f"{mib}")
        for name, (command, lengths) in COMMANDS.items()
        for intervals, seconds, mib in _measured(command, lengths)
    ]
    return Report(
        "Reading a recording in which a guest starts and ends in each interval",
        ("command", "intervals", "s", "peak, MiB"),
        rows,
        (f"three rows an interval; each line tells of the last {MOST_ENDED} guests that ended",),
    )


def _measured(
    command: tuple[str, ...], lengths: tuple[int, ...]
) -> Iterator[tuple[int, float, int]]:
    for intervals in lengths:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.jsonl"
            _record(path, intervals)
            begun = time.perf_counter()
            ended = run([*BPFEXIT, *command, str(path)])
            if ended.code:
                raise subprocess.CalledProcessError(ended.code, command, stderr=ended.errors)
            yield intervals, time.perf_counter() - begun, ended.peak_mib


def _record(path: Path, intervals: int) -> None:
    recorder = Recorder(path, lambda: Header("", Origin("host", "6.1", "kvm_amd"), 1.0, 0.0))
    ended: list[Guest] = []
    for number in range(intervals):
        guest = Guest(10_000 + number, f"web{number}", "qemu", "qemu")
        recorder.write(_second(number, guest, (*ended, guest)))
        ended = [*ended, replace(guest, ended=True)][-MOST_ENDED:]
    recorder.close()


def _second(number: int, guest: Guest, known: tuple[Guest, ...]) -> Snapshot:
    exits = [pio(0x70, ns=(5,)), pio(0x608, ns=(7, 9)), Exits("HLT", (5,))]
    own = [replace(each, vm=guest.name, pid=guest.pid, tid=guest.pid) for each in exits]
    return snapshot(*own, start=float(number), duration_s=1.0, guests=known)
