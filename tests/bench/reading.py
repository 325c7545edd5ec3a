"""What an interval costs the process that shows it, part by part, in CPU time."""

import io
import statistics
import time
from collections import deque

import numpy as np
from rich.console import Console

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.address_names import AddressNames
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import default_query, view
from bpfexit.ui.header import header
from bpfexit.ui.tables import table
from tests.bench.filled import EXITS_A_ROW, FilledSource, threads
from tests.bench.report import Report
from tests.bench.stopwatch import timing

GUESTS, VCPUS, KEYS = 10, 100, 20
INTERVALS = 15
LINES, WIDTH = 50, 120
PARTS = ("map read", "guests", "delta", "aggregation", "table", "JSON")
WITHIN_READING = {
    "map read": (
        "bpfexit.tracer.mmap_rows.mapped_array",
        "bpfexit.tracer.counters.copied_changes",
        "bpfexit.tracer.counters.restart_maxima",
        "bpfexit.tracer.counters.Counters.sample",
    ),
    "guests": (
        "bpfexit.tracer.source.Guests.update",
        "bpfexit.tracer.source.UsageReader.read",
    ),
}


def report() -> Report:
    """Return the CPU time of one interval of very many rows."""
    random = np.random.default_rng(1)
    with threads(GUESTS, VCPUS) as owners:
        source = FilledSource(owners, KEYS)
        costs, buckets = [], 0.0
        for _ in range(INTERVALS + 1):
            source.go_on(random)
            snapshot, cost = interval(source)
            assert len(snapshot.rows) == GUESTS * VCPUS * KEYS
            buckets = len(snapshot.rows.hist.row) / len(snapshot.rows)
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
            "guests: names, and what they take of the host, from /proc",
            f"table: the view of `top`, {WIDTH} columns; JSON: the pieces of a line of `top -j`",
        ),
    )


def interval(source: FilledSource) -> tuple[Snapshot, dict[str, float]]:
    """Return the source's next interval, and the CPU time of each part, ms."""
    with timing(WITHIN_READING, _cpu_ms) as took:
        marks = [_cpu_ms()]
        snapshot = source.next()
        assert snapshot
    marks.append(_cpu_ms())
    shown = view(snapshot, default_query(True, None, None, LINES))
    marks.append(_cpu_ms())
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True)
    console.print(header(snapshot), table(shown, WIDTH))
    marks.append(_cpu_ms())
    deque(snapshot_json.pieces(snapshot, AddressNames(snapshot).name), 0)
    marks.append(_cpu_ms())
    read, *others = np.diff(marks).tolist()
    numbers = (*took.values(), read - sum(took.values()), *others)
    return snapshot, dict(zip(PARTS, numbers, strict=True))


def _cpu_ms() -> float:
    return time.process_time_ns() / 1e6
