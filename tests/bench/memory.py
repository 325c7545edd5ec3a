"""Resident memory of `top`, `record` and `export`, and the kernel's of their maps, as rows grow."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bpfexit.tracer.source import MAX_ROWS
from tests.bench.report import Report
from tests.counting import BPFEXIT, next_line, started, until_counting, write

COMMANDS = (
    ("top", "-j"),
    ("record", "-o", "run.jsonl.gz"),
    ("export", "--listen", "0", "-i", "1"),
)
ROWS = (100, 1_000, 10_000, 200_000)
INTERVALS_S = 4
"""How long after the guest's walk it is looked: rows are read, written and shown by then."""

RESIDENT = ("RssAnon", "RssFile", "RssShmem", "VmHWM")


def report() -> Report:
    """Return a row for each command and number of rows, all numbers in MiB."""
    return Report(
        "Memory as rows grow, MiB",
        ("command", "rows", "anon", "file", "shmem", "peak", "maps"),
        [
            (command[0], f"{rows:,}", *(f"{mib:.0f}" for mib in _measured(command, rows)))
            for command in COMMANDS
            for rows in ROWS
        ],
        (
            "`bpfexit top -j 1` into a file, `bpfexit record -o run.jsonl.gz`, "
            "`bpfexit export -i 1`; a guest that reads "
            f"so many MMIO addresses; --max-rows as the rows, {MAX_ROWS:,} at least",
            "anon, file, shmem: RssAnon, RssFile (libraries, mapped counters) and RssShmem of "
            "/proc/PID/status; peak: VmHWM, without the child process that compiles",
            "maps: kernel memory of all BPF maps, the sum of `memlock` in /proc/PID/fdinfo",
        ),
    )


def _measured(command: tuple[str, ...], rows: int) -> Iterator[float]:
    room = max(MAX_ROWS, 1 << rows.bit_length())
    with (
        tempfile.TemporaryDirectory() as folder,
        walked(rows) as (pid, walk),
        open(Path(folder) / "output", "w") as output,
        subprocess.Popen(
            [*BPFEXIT, *command, "-p", str(pid), "--max-rows", str(room)],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        ) as tracer,
    ):
        until_counting(tracer)
        walk()
        time.sleep(INTERVALS_S)
        status = Path(f"/proc/{tracer.pid}/status").read_text()
        yield from (kib(status, name) / 1024 for name in RESIDENT)
        yield _maps_bytes(tracer.pid) / 2**20
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()


@contextmanager
def walked(rows: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """Yield a guest's process and what lets it read so many addresses."""
    with started([sys.executable, "-m", "tests.walking", str(rows)]) as machine:
        pid = json.loads(next_line(machine))["pid"]

        def walk() -> None:
            write(machine, "\n")
            next_line(machine)

        yield pid, walk
        machine.communicate()


def kib(status: str, name: str) -> int:
    """Return a number of /proc/PID/status, KiB."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0


def _maps_bytes(pid: int) -> int:
    folder = Path(f"/proc/{pid}/fdinfo")
    return maps_bytes(path.read_text() for path in folder.iterdir())


def maps_bytes(infos: Iterator[str]) -> int:
    """Add up the memory of those descriptors that are maps; a map may have several."""
    found = {}
    for text in infos:
        fields = dict(re.findall(r"^(\w+):\s+(\S+)$", text, re.MULTILINE))
        if "map_id" in fields:
            found[fields["map_id"]] = int(fields["memlock"])
    return sum(found.values())
