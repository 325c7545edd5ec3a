"""What an interval costs the process that shows it, part by part, in CPU time."""

import io
import os
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
from rich.console import Console

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.address_names import AddressNames
from bpfexit.model.view import default_query, view
from bpfexit.ui.header import header
from bpfexit.ui.tables import table
from tests.bench.filled import EXITS_A_ROW, FilledSource, threads
from tests.bench.report import Report
from tests.bench.stopwatch import timing

GUESTS, VCPUS, KEYS = 10, 100, 20
INTERVALS = 15
LINES, WIDTH = 50, 120
PARTS = ("map read", "delta", "aggregation", "table", "JSON")
READ = (
    "bpfexit.tracer.mmap_rows.mapped_array",
    "bpfexit.tracer.counters.copied_changes",
    "bpfexit.tracer.counters.restart_maxima",
    "bpfexit.tracer.counters.Counters.sample",
)

TOP_S = 20
TOP_KEYS = 96
"""Addresses that the guest of the second table reads; with its other exits, some 100 rows."""


def report() -> Report:
    """Return the CPU time of one interval of very many rows."""
    random = np.random.default_rng(1)
    with threads(GUESTS, VCPUS) as owners:
        source = FilledSource(owners, KEYS)
        costs, buckets = [], 0.0
        for _ in range(INTERVALS + 1):
            source.go_on(random)
            cost, buckets = _interval(source)
            costs.append(cost)
    # The first one is of rows that are all new, and of code not yet run.
    medians = {part: statistics.median(cost[part] for cost in costs[1:]) for part in PARTS}
    rows = [(part, f"{ms:.1f}") for part, ms in medians.items()]
    rows += [("all", f"{sum(medians.values()):.1f}")]
    return Report(
        f"Reading an interval of {GUESTS * VCPUS * KEYS:,} rows, ms of CPU time",
        ("part", "ms"),
        rows,
        (
            f"{GUESTS * VCPUS:,} vCPUs of {GUESTS} guests x {KEYS} keys, each row with "
            f"{EXITS_A_ROW} new exits in {buckets:.0f} buckets on average; "
            f"medians of {INTERVALS} intervals",
            f"table: the view of `top`, {WIDTH} columns; JSON: a line of `top -j`",
        ),
    )


def _interval(source: FilledSource) -> tuple[dict[str, float], float]:
    """Return the parts' CPU time, ms, and the mean number of a row's buckets."""
    with timing({"map read": READ}, _cpu_ms) as took:
        marks = [_cpu_ms()]
        snapshot = source.next()
        assert snapshot
        assert len(snapshot.rows) == GUESTS * VCPUS * KEYS
    marks.append(_cpu_ms())
    shown = view(snapshot, default_query(True, None, None, LINES))
    marks.append(_cpu_ms())
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True)
    console.print(header(snapshot), table(shown, WIDTH))
    marks.append(_cpu_ms())
    snapshot_json.encode(snapshot, AddressNames(snapshot).name)
    marks.append(_cpu_ms())
    read, *others = np.diff(marks).tolist()
    numbers = (took["map read"], read - took["map read"], *others)
    return dict(zip(PARTS, numbers, strict=True)), len(snapshot.rows.hist.row) / len(snapshot.rows)


def _cpu_ms() -> float:
    return time.process_time_ns() / 1e6


def top_report() -> Report:
    """Return the share of a core that the live screen takes, with some 100 rows."""
    mix = ",".join(f"pio-read-user@{0x1000 + 4 * key:#x}" for key in range(TOP_KEYS))
    guest = subprocess.Popen(
        [sys.executable, "-m", "bpfexit", "testguest", "--mix", mix, "--rate", "2000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        share = statistics.median(_top_share(guest.pid) for _ in range(3))
    finally:
        guest.send_signal(signal.SIGINT)
        guest.wait()
    return Report(
        "The live screen at 1 s, % of a core",
        ("rows", "user and system"),
        [(f"{TOP_KEYS}", f"{share:.2f}")],
        (
            f"`bpfexit top -p PID` on a terminal of 50 lines, {TOP_S} s after its start, "
            "from /proc/PID/stat; median of 3",
        ),
    )


def _top_share(pid: int) -> float:
    """Run the live screen for a while; return the share of a core it takes, %."""
    top, terminal = os.forkpty()
    if not top:
        os.environ.update(LINES="50", COLUMNS=str(WIDTH))
        os.execv(sys.executable, [sys.executable, "-m", "bpfexit", "top", "-p", str(pid)])  # noqa: S606
    os.set_blocking(terminal, False)
    _drain(terminal, 5)
    begun, cpu = time.monotonic(), _cpu_s(top)
    _drain(terminal, TOP_S)
    share = 100 * (_cpu_s(top) - cpu) / (time.monotonic() - begun)
    os.write(terminal, b"q")
    _drain(terminal, 1)
    os.close(terminal)
    os.waitpid(top, 0)
    return share


def _drain(terminal: int, seconds: float) -> None:
    """Read what comes, so that the screen is not held up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.read(terminal, 1 << 16)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process: of `stat`, fields 14 and 15, in ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
