"""A scenario of the session inside: `export`, asked through Prometheus once guests have ended."""

import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.counting import count
from tests.integration.exporting import exporter
from tests.integration.prometheus_server import Prometheus, scraping
from tests.testbed.exits import FEW, PRIMES
from tests.waiting import eventually

NEAR_WRAP = (sys.executable, "-m", "tests.near_wrap")
GUESTS = (("once", PRIMES), ("again", FEW), ("again", FEW))
SUMS = {
    "exits": (("reason",), "bpfexit_exits_total"),
    "user_exits": (("reason",), "bpfexit_userspace_exits_total"),
    "accesses": (("kind", "access", "address"), "bpfexit_access_total"),
    "timed": (("class",), "bpfexit_exit_duration_seconds_count"),
    "in_buckets": (("class",), "bpfexit_exit_duration_seconds_bucket{le='+Inf'}"),
    "lost": (("cause",), "bpfexit_lost_events_total"),
}
"""Labels by which a metric is summed."""


def exported() -> dict[str, Any]:
    """Run guests, two under one name, and scrape only then; count each by `top`, too."""
    with exporter("-i", "1", program=NEAR_WRAP) as url, TemporaryDirectory() as folder:
        runs = [
            count(["--name", name, "--mix", mix, "--rounds", "1"], ["-i", "0.5"])
            for name, mix in GUESTS
        ]
        ended = time.time()
        with scraping(shutil.which("prometheus") or "", [url], Path(folder), every_s=10) as server:
            read = "bpfexit_last_reading_timestamp_seconds"
            eventually(lambda: server.values(read)[0] > ended)
            sums = {name: _sums(server, *SUMS[name]) for name in SUMS}
    return {
        "runs": [{"guest": each.guest, "snapshots": each.snapshots} for each in runs],
        "sums": sums,
    }


def _sums(server: Prometheus, labels: tuple[str, ...], metric: str) -> list[list[Any]]:
    """Return instant sums by guest and these labels: their values, then the sum."""
    by = "guest", *labels
    return [
        [*(each["metric"].get(label) for label in by), float(each["value"][1])]
        for each in server.query(f"sum by ({', '.join(by)}) ({metric})")
    ]
