"""Counters beyond 32 bits are exposed to the last digit, in the text that Prometheus parses."""

from dataclasses import replace

from prometheus_client import generate_latest

from bpfexit.exporting.collector import registry_of
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot
from tests.integration.exporting import total
from tests.unit.builders import pio, snapshot
from tests.unit.exporting.exposed import accumulator

PRIME = 8_589_934_609
"""The next after 2^33."""


def _interval(count: int) -> Snapshot:
    """Return reads of a port, each of 70 ns."""
    of = snapshot(pio(0x608, ns=(70,)))
    for name in ("count", "timed"):
        of.rows.fields[name] = count
    of.rows.fields["total_ns"] = 70 * count
    hist = replace(of.rows.hist, count=of.rows.hist.count * count)
    return replace(of, rows=Rows(of.rows.fields, hist))


def test_sums_beyond_2_to_the_32nd_are_exact() -> None:
    known = accumulator()
    for now, count in enumerate((0, 2**32 - 1, 2, PRIME - 2**32 - 1)):
        known.add(_interval(count), float(now))
    text = generate_latest(registry_of(known.families)).decode()
    assert total(text, "bpfexit_access_total", address="0x0608") == PRIME
    assert total(text, "bpfexit_exits_total") == PRIME
    assert total(text, "bpfexit_exit_duration_seconds_count") == PRIME
    assert total(text, "bpfexit_exit_duration_seconds_bucket", le="+Inf") == PRIME
