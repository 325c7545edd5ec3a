"""What a scrape and a reading cost the exporter."""

import gc
import gzip
import time
from collections.abc import Callable

from prometheus_client import generate_latest

from bpfexit.exporting.accumulator import Accumulator
from bpfexit.exporting.collector import registry_of
from tests.bench.report import Report
from tests.unit.exporting.crowd import crowd

_TIMES = 9


def report() -> Report:
    """Return the CPU time of a reading and a scrape, by the number of guests."""
    return Report(
        "`bpfexit export`: CPU time of a scrape and of adding up a reading",
        ("guests", "series", "kB", "gzip, kB", "scrape, ms", "with gzip, ms", "reading, ms"),
        [_row(guests) for guests in (1, 10, 50, 60, 200)],
        ("ten reasons and 60 addresses per guest; the best of nine; Prometheus asks for gzip",),
    )


def _row(guests: int) -> tuple[str, ...]:
    accumulator = Accumulator(lambda _: ("1", "", "", "", "", "qemu"))
    snapshot = crowd(guests)
    reading = _cpu_ms(lambda: accumulator.add(snapshot, 0.0))
    registry = registry_of(accumulator.families)
    text = generate_latest(registry)
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    scrape = _cpu_ms(lambda: generate_latest(registry))
    compressed = _cpu_ms(lambda: gzip.compress(generate_latest(registry)))
    sizes = (f"{len(each) / 1e3:,.0f}" for each in (text, gzip.compress(text)))
    times = (f"{ms:.0f}" for ms in (scrape, compressed, reading))
    return f"{guests}", f"{series:,}", *sizes, *times


def _cpu_ms(work: Callable[[], object]) -> float:
    def once() -> float:
        begun = time.process_time_ns()
        work()
        return (time.process_time_ns() - begun) / 1e6

    gc.collect()
    return min(once() for _ in range(_TIMES))
