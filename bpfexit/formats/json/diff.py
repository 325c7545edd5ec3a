"""`bpfexit.diff/2`: a comparison as JSON lines: one on the total, then one per line.

Times are ns; rates and times spent are per second; unknown or meaningless values are null.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from math import isfinite
from typing import Any

from bpfexit.events.access import Access
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.names import named
from bpfexit.model.diff import Diff, per_second
from bpfexit.model.matched import Line, Side
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Snapshot

SCHEMA = "bpfexit.diff/2"


def encode(diff: Diff) -> Iterator[str]:
    """Yield the lines, without newlines."""
    for document in chain([_whole(diff)], map(_line, diff.lines)):
        yield json.dumps({"schema": SCHEMA, **document}, separators=(",", ":"), allow_nan=False)


def _whole(diff: Diff) -> dict[str, Any]:
    return {
        "about": "all",
        "before": _recording(diff, diff.before),
        "after": _recording(diff, diff.after),
        "differing": list(diff.differing),
        "same": diff.is_same,
        "time": "user" if diff.userspace else "exits",
        "saved_ns_per_s": _number(diff.saved),
        "lines": len(diff.lines),
        "hidden": diff.hidden,
    }


def _recording(diff: Diff, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        **origin_json.document(snapshot.origin),
        "exits": snapshot.exits,
        "per_s": _number(per_second(snapshot.exits, snapshot.duration_s)),
        "time_ns_per_s": _number(diff.time(snapshot)),
        "lost": asdict(snapshot.lost),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "about": "address" if line.depth else "group",
        "vm": line.vm,
        "vcpu": None if line.vcpu == NO_VCPU else line.vcpu,
        "reason": line.reason,
        "kind": line.kind.json_name,
        "access": None if line.access is Access.NONE else line.access.name.lower(),
        "address": line.address,
        **named(line.name),
        "status": line.status.value,
        "before": _side(line.before),
        "after": _side(line.after),
        "saved_ns_per_s": _number(line.saved),
        "rate_ratio": _number(line.rate_ratio),
        "mean_ratio": _number(line.mean_ratio),
        "latency": {
            "verdict": line.latency.verdict.value,
            "larger": _number(line.latency.larger),
            "p": _number(line.latency.p),
        },
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "count": side.count,
        "per_s": _number(side.rate),
        "time_ns_per_s": _number(side.time),
        "mean_ns": _number(side.mean),
        "p50_ns": _number(side.p50),
        "p99_ns": _number(side.p99),
        "user": _number(side.user),
        "user_mean_ns": _number(side.user_mean),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
