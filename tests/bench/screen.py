"""What a redraw of the live screen writes, and the CPU time that an interval of it takes."""

import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console

from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.screen.state import first_state
from tests.bench.report import Report
from tests.unit.ui.screen.hosts import host

GUESTS, WIDTH, HEIGHT = 50, 120, 40
INTERVALS = 40
NUMBERS = "guest%,away%,KVM%,QEMU%,idle%,per s,dearest"
"""The columns of the guests' view at this width but those that are graphs."""


def report() -> Report:
    """Return the bytes of a redraw and of a moved selection, and the CPU time of an interval."""
    seconds = [_changed(second) for second in range(INTERVALS)]
    rows = []
    for title, columns in (("without graphs", NUMBERS), ("with graphs", "")):
        screen = _screen(columns)
        sizes, costs = _redraws(screen, seconds)
        moves = [_pressed(screen, key) for key in ["down"] * 12 + ["up"] * 12]
        rows.append(
            (
                title,
                f"{statistics.mean(sizes[1:]):,.0f}",
                f"{max(sizes[1:]):,}",
                f"{max(moves):,}",
                f"{1000 * statistics.median(costs[1:]):.1f}",
            )
        )
    return Report(
        f"The live screen at {WIDTH}x{HEIGHT} with {GUESTS} guests, every number changing",
        ("columns", "bytes, mean", "bytes, most", "selection moved", "CPU, ms"),
        rows,
        (
            f"{INTERVALS} intervals of 1 s, the guests' view, sorted by away%; bytes as written "
            "to the terminal, CPU of adding a snapshot and of drawing it",
        ),
    )


def _screen(columns: str) -> LiveScreen:
    console = Console(
        file=io.StringIO(), width=WIDTH, height=HEIGHT, force_terminal=True, _environ={}
    )
    screen = LiveScreen(first_state(Query(), 1.0), console, SnapshotSum)
    if columns:
        screen.press(["C", *columns, "enter"])
    return screen


def _redraws(screen: LiveScreen, seconds: Sequence[Snapshot]) -> tuple[list[int], list[float]]:
    """Return bytes and CPU time, s, of each interval."""
    sizes, costs = [], []
    for snapshot in seconds:
        begun = time.process_time()
        screen.add(snapshot)
        sizes.append(_painted(screen))
        costs.append(time.process_time() - begun)
    return sizes, costs


def _pressed(screen: LiveScreen, key: str) -> int:
    screen.press([key])
    return _painted(screen)


def _painted(screen: LiveScreen) -> int:
    size, is_last = 0, False
    while not is_last:
        text, is_last = screen.paint(1500)
        size += len(text.encode())
    return size


def _changed(second: int) -> Snapshot:
    """Return a second in which every count and time differs by up to 20 % from any other.

    Each guest has 5 % less to do than the one before, so that neighbours change places.
    """
    random = np.random.default_rng(second)
    of = replace(host(GUESTS), start=1.7e9 + second)
    fields = of.rows.fields
    factor = 4000 * 0.95 ** (fields["pid"] - 1000.0) * (1 + 0.2 * random.random(len(fields)))
    for name in ("count", "timed", "total_ns", "user_count", "user_ns"):
        fields[name] = fields[name] * np.where(of.idle, 1, factor)
    vcpus = of.vcpus.copy()
    vcpus["guest_ns"] = vcpus["guest_ns"] * (1 + 0.5 * random.random(len(vcpus)))
    return replace(of, vcpus=vcpus)
