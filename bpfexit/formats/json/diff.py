"""`bpfexit.diff/2`: a comparison as JSON lines: one on the total, then one per line.

Times are ns; rates and times spent are per second; unknown or meaningless values are null.
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json.fields import number, target, vcpu
from bpfexit.formats.json.text import line_of
from bpfexit.model.diff import Diff
from bpfexit.model.matched import Line, Side
from bpfexit.model.snapshot import Snapshot

SCHEMA = "bpfexit.diff/2"


def encode(diff: Diff) -> Iterator[str]:
    """Yield the lines, without newlines."""
    for document in chain([_whole(diff)], map(_line, diff.lines)):
        yield line_of({"schema": SCHEMA, **document})


def _whole(diff: Diff) -> dict[str, Any]:
    return {
        "about": "all",
        "before": _recording(diff, diff.before),
        "after": _recording(diff, diff.after),
        "differing": list(diff.differing),
        "same": diff.is_same,
        "time": "user" if diff.userspace else "exits",
        "saved_ns_per_s": number(diff.saved),
        "lines": len(diff.lines),
        "hidden": diff.hidden,
    }


def _recording(diff: Diff, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        **origin_json.document(snapshot.origin),
        "exits": snapshot.exits,
        "per_s": number(snapshot.per_second(snapshot.exits)),
        "time_ns_per_s": number(diff.time(snapshot)),
        "lost": asdict(snapshot.lost),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "about": "address" if line.depth else "group",
        "vm": line.vm,
        "vcpu": vcpu(line.vcpu),
        "class": line.reason_class,
        "reason": line.reason,
        **target(line),
        "status": line.status.value,
        "before": _side(line.before),
        "after": _side(line.after),
        "saved_ns_per_s": number(line.saved),
        "rate_ratio": number(line.rate_ratio),
        "mean_ratio": number(line.mean_ratio),
        "latency": {
            "verdict": line.latency.verdict.value,
            "larger": number(line.latency.larger),
            "p": number(line.latency.p),
        },
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "count": side.count,
        "per_s": number(side.rate),
        "time_ns_per_s": number(side.time),
        "mean_ns": number(side.mean),
        "p50_ns": number(side.p50),
        "p99_ns": number(side.p99),
        "user": number(side.user),
        "user_mean_ns": number(side.user_mean),
    }
