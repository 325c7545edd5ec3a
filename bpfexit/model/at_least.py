"""Only the exits that took at least so long: what histograms tell of them."""

import numpy as np

from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.rows import Rows
from bpfexit.model.structs import copied

NOT_OF_SLOW_EXITS = (
    *("time", "mean", "wait", "wait_mean", "blocked", "blocked_mean"),
    *("polled", "poll_mean", "user", "user_wait", "user_blocked", "user_cpu", "user_mean", "error"),
)
"""Columns from sums over all exits: for some of these exits they are not known."""


def edge_at_least(ns: int) -> int | None:
    """Return the lowest edge of a bucket that is not below `ns`; None if there is none."""
    bucket = int(np.searchsorted(LOWER_NS, ns))
    return int(LOWER_NS[bucket]) if bucket < len(LOWER_NS) else None


def slow_ones(rows: Rows, edge_ns: int) -> Rows:
    """Return the rows' exits of at least an edge of a bucket, counted exactly; empty rows go."""
    hist = rows.hist.from_bucket(int(np.searchsorted(LOWER_NS, edge_ns)))
    fields = copied(rows.fields)
    fields["timed"] = hist.totals()
    fields["count"] = fields["timed"]
    return Rows(fields, hist).take(fields["count"] > 0)
