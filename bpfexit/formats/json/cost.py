"""`bpfexit.cost/2`: the cost of bpfexit itself as JSON lines: the total, then each program.

Times are ns; unknown or meaningless values are null.
"""

from collections.abc import Iterator
from typing import Any

from bpfexit.formats.json.fields import number
from bpfexit.formats.json.text import line_of
from bpfexit.model.own_cost import ProgramRuns, ProgramsCost
from bpfexit.model.snapshot import Snapshot, times

SCHEMA = "bpfexit.cost/2"


def encode(snapshot: Snapshot, cost: ProgramsCost) -> Iterator[str]:
    """Yield the lines, without newlines; the snapshot is of the window that was measured."""
    programs = (_program(program, cost) for program in cost.programs)
    for document in (_whole(snapshot, cost), *programs):
        yield line_of({"schema": SCHEMA, **document})


def _whole(snapshot: Snapshot, cost: ProgramsCost) -> dict[str, Any]:
    return {
        "about": "all",
        "start": cost.start,
        "duration_s": cost.duration_s,
        "unit": "exit" if snapshot.origin.has_exit_events else "access",
        "exits": cost.exits,
        "runs": cost.runs,
        "ns": cost.ns,
        "runs_per_exit": number(cost.runs_per_exit),
        "ns_per_exit": number(cost.ns_per_exit),
        "core_share": number(cost.core_share),
        "vcpu_share": number(cost.share_of(times(snapshot).busy)),
        "process_cpu_ns": round(snapshot.cost.cpu_s * 1e9),
        "process_core_share": number(snapshot.cost.core_share),
    }


def _program(program: ProgramRuns, cost: ProgramsCost) -> dict[str, Any]:
    return {
        "about": "program",
        "event": program.event,
        "runs": program.runs,
        "ns": program.ns,
        "mean_ns": number(program.mean),
        "core_share": number(cost.core_share_of(program.ns)),
    }
