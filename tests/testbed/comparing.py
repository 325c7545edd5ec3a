"""What `top` counted, what the guest did and what ftrace saw: in one shape, to be compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histogram import LOWER_NS
from tests.counting import Counted, Place, recorded, tids
from tests.ftrace import recorded as traced
from tests.testbed.truth import Exit, exits
from tests.testbed.vendors import Key, Vendor, place_of

PROBE_SLACK = 60
"""How far, in instructions, the distance of the two probes may stray from its median."""

EXITS_A_PAGE = 27
PAGE_TURN = 10_000
"""ftrace turns a page of its buffer at every 80th event or so. When that falls between its clock
and ours, up to so many instructions are in its latency of that exit, and not in ours: mostly some
hundred, rarely thousands; 7,412 is the most that was seen."""

RCX_READ = 100
"""What reading the number of an MSR takes before our clock, where the exit does not carry it."""

SizedKey = tuple[str, Place, int | None]


def of(found: Any) -> Counted:
    """Return a scenario's counts: as `top` printed them, or as they were recorded."""
    snapshots = recorded(Path(found["recording"])) if "recording" in found else found["snapshots"]
    return Counted(found["guest"], snapshots)


def truth_of(found: Any) -> tuple[list[Exit], int]:
    """Return the guest's exits that ftrace saw, and how many of them had not ended."""
    threads = found["tids"] if "tids" in found else tids(found["guest"])
    return exits(traced(Path(found["trace"])), set(threads))


def key_of(row: Any) -> Key:
    """Return the reason and place of a row, or of a slow exit."""
    return row["reason"], place_of(row)


def counted(result: Counted) -> Counter[Key]:
    """Return what `top` counted, by reason and place."""
    total: Counter[Key] = Counter()
    for row in result.rows:
        total[key_of(row)] += row["count"]
    return total


def sized(result: Counted) -> Counter[SizedKey]:
    """Return the same, by the size of the access as well."""
    total: Counter[SizedKey] = Counter()
    for row in result.rows:
        total[(*key_of(row), row["size"])] += row["count"]
    return total


def check_exact(result: Counted, vendor: Vendor, besides: Iterable[Key] = ()) -> None:
    """Every exit of the guest's operations is there once, and only what is known besides."""
    truth, seen = vendor.expected(result.operations()), counted(result)
    assert truth
    assert {key: seen[key] for key in truth} == truth
    assert set(seen) - set(truth) <= vendor.besides | set(besides)
    assert result.lost == {}


def by_key(truth: Iterable[Exit]) -> dict[Key, list[Exit]]:
    """Return ftrace's exits by reason and place."""
    groups = defaultdict(list)
    for each in truth:
        groups[each.reason, each.place].append(each)
    return groups


def rows_of(result: Counted, key: Key) -> list[dict[str, Any]]:
    """Return the rows of all intervals that are about this."""
    return [row for row in result.rows if key_of(row) == key]


def histogram(rows: Iterable[dict[str, Any]]) -> NDArray[np.int64]:
    """Add up the rows' histograms."""
    total = np.zeros(len(LOWER_NS), np.int64)
    for row in rows:
        for lower, _, count in row["hist"]:
            total[np.searchsorted(LOWER_NS, lower)] += count
    return total


def probe_distance_ns(result: Counted, truth: Iterable[Exit]) -> float:
    """Return the distance of the probes: ours minus ftrace's mean latency, the median of all."""
    distances = []
    for key, group in by_key(truth).items():
        rows = rows_of(result, key)
        ours = sum(row["total_ns"] for row in rows) / sum(row["count"] for row in rows)
        distances.append(ours - np.mean([each.ns for each in group]))
    return float(np.median(distances))


def probe_distance_at(key: Key, median: float, vendor: Vendor) -> float:
    """Return the distance of the probes for one key, by the median of all."""
    _, place = key
    reads = place.kind == "msr" and "kvm_msr" in vendor.carried
    return median - (RCX_READ * vendor.instruction_ns if reads else 0)


def slack_of_mean(exits: int, vendor: Vendor) -> float:
    """Return how far the mean of so many latencies may be off, with two slow page turns."""
    return (PROBE_SLACK + 2 * PAGE_TURN / exits) * vendor.instruction_ns
