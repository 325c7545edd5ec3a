"""`bpfexit.cost/2`: the cost of bpfexit itself as JSON lines: the total, then each program.

Times are ns; unknown or meaningless values are null.
"""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from bpfexit.model.own_cost import ProgramRuns, ProgramsCost
from bpfexit.model.snapshot import Snapshot, times

SCHEMA = "bpfexit.cost/2"


def encode(snapshot: Snapshot, cost: ProgramsCost) -> Iterator[str]:
    """Yield the lines, without newlines; the snapshot is of the window that was measured."""
    programs = (_program(each, cost) for each in cost.programs)
    for document in (_whole(snapshot, cost), *programs):
        yield json.dumps({"schema": SCHEMA, **document}, separators=(",", ":"), allow_nan=False)


def _whole(snapshot: Snapshot, cost: ProgramsCost) -> dict[str, Any]:
    return {
        "about": "all",
        "start": cost.start,
        "duration_s": cost.duration_s,
        "unit": "exit" if snapshot.origin.has_exit_events else "access",
        "exits": cost.exits,
        "runs": cost.runs,
        "ns": cost.ns,
        "runs_per_exit": _number(cost.runs_per_exit),
        "ns_per_exit": _number(cost.ns_per_exit),
        "core_share": _number(cost.core_share),
        "vcpu_share": _number(cost.share_of(times(snapshot).busy)),
        "process_cpu_ns": round(snapshot.cost.cpu_s * 1e9),
        "process_core_share": _number(snapshot.cost.core_share),
    }


def _program(each: ProgramRuns, cost: ProgramsCost) -> dict[str, Any]:
    return {
        "about": "program",
        "event": each.event,
        "runs": each.runs,
        "ns": each.ns,
        "mean_ns": _number(each.mean),
        "core_share": _number(cost.core_share_of(each.ns)),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
