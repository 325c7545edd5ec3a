"""JSON Schemas of the documents that bpfexit writes, one for each `bpfexit.*/2`.

`docs/generate.py` writes them to `bpfexit/schemas`, where they are package data. Fields may be
added to a document, so none forbids more of them; none changes its meaning.
"""

from bpfexit.events.access import Access
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.schema_terms import (
    BOOL,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    array,
    document,
    null_or,
    obj,
    one_of,
)
from bpfexit.model.columns import COLUMNS
from bpfexit.model.losses import LOSSES
from bpfexit.names.reasons import Isa

_NULL_WHOLE = null_or(WHOLE)
_NULL_NUMBER = null_or(NUMBER)
_NULL_TEXT = null_or(TEXT)
_ORIGIN = {"host": TEXT, "kernel": TEXT, "backend": TEXT, "has_exit_events": BOOL}
_LOST = obj(dict.fromkeys(LOSSES, WHOLE))
_NAMED = {"name": _NULL_TEXT, "named_by": _NULL_TEXT}
_BUCKETS = array({"type": "array", "items": WHOLE, "minItems": 3, "maxItems": 3})
_ACCESS = one_of([None, *(each.name.lower() for each in Access if each)])
_TARGET = {"kind": one_of([*KIND_OF_NAME]), "access": _ACCESS, "address": _NULL_WHOLE}
_THREAD = {"vm": TEXT, "pid": WHOLE, "tid": WHOLE, "vcpu": _NULL_WHOLE}
_TIME = {"start": NUMBER, "duration_s": NUMBER}
_ROW = obj(
    {
        **_THREAD,
        "isa": one_of([None, *(each.name.lower() for each in Isa if each)]),
        "reason": _NULL_TEXT,
        **_TARGET,
        "size": _NULL_WHOLE,
        "count": WHOLE,
        "total_ns": _NULL_WHOLE,
        "max_ns": _NULL_WHOLE,
        "user_count": WHOLE,
        "user_ns": WHOLE,
        "no_latency": WHOLE,
        "hist": _BUCKETS,
    },
    _NAMED,
)
_EXIT = {
    "end": NUMBER,
    **_THREAD,
    "reason": _NULL_TEXT,
    **_TARGET,
    "size": _NULL_WHOLE,
    "rip": _NULL_WHOLE,
    "ns": _NULL_WHOLE,
    "user_ns": WHOLE,
}
_PROGRAM = {"event": TEXT, "runs": WHOLE, "ns": WHOLE}
_COST = obj(
    {
        "cpu_s": NUMBER,
        "over_s": NUMBER,
        "programs": null_or(obj({**_TIME, "exits": WHOLE, "programs": array(obj(_PROGRAM))})),
    }
)
_COLUMNS = {column.json_name: _NULL_NUMBER for column in COLUMNS}
_SIDE = obj(
    {"count": WHOLE}
    | dict.fromkeys(
        (
            "per_s", "time_ns_per_s", "mean_ns", "p50_ns", "p99_ns", "user", "user_mean_ns"
        ),
        _NULL_NUMBER,
    )
)  # fmt: skip

_RECORDED = obj(
    {
        **_TIME,
        **_ORIGIN,
        "exits": WHOLE,
        "per_s": _NULL_NUMBER,
        "time_ns_per_s": _NULL_NUMBER,
        "lost": _LOST,
    }
)

SNAPSHOT = document(
    "bpfexit.snapshot/2",
    {
        **_TIME,
        **_ORIGIN,
        "lost": _LOST,
        "in_flight": WHOLE,
        "ended_pids": array(WHOLE),
        "cost": null_or(_COST),
        "vcpus": array(obj({**_THREAD, "guest_ns": _NULL_WHOLE})),
        "rows": array(_ROW),
    },
    {
        "only_reasons": TEXTS,
        "slow": obj(
            {
                "than_ns": WHOLE,
                "rate_limited": WHOLE,
                "dropped": WHOLE,
                "exits": array(obj(_EXIT)),
            }
        ),
    },
)
RECORDING = document(
    "bpfexit.recording/2",
    {
        "version": TEXT,
        **_ORIGIN,
        "interval_s": NUMBER,
        "start": NUMBER,
        "facts": {"type": "object"},
        "guests": array(obj({"vm": TEXT, "pid": WHOLE})),
    },
)
GUEST = document(
    "bpfexit.guest/2",
    {
        "pid": WHOLE,
        "name": TEXT,
        "named_by": TEXT,
        "vmm": TEXT,
        "options": array({"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2}),
        "mapped_by": _NULL_TEXT,
        "ended": BOOL,
        "manager": TEXT,
        "cpu_quota": _NULL_NUMBER,
        "regions": array({"type": "array", "minItems": 4, "maxItems": 4}),
    },
)
SLOW = document("bpfexit.slow/2", {**_EXIT, **_NAMED})
HIST = document(
    "bpfexit.hist/2",
    {
        "count": WHOLE,
        "no_latency": WHOLE,
        "total_ns": _NULL_WHOLE,
        "max_ns": _NULL_WHOLE,
        "buckets": _BUCKETS,
    },
    {"reason": _NULL_TEXT, **_THREAD, **_TARGET, **_NAMED},
)
LINE = document(
    "bpfexit.line/2",
    {
        **_TIME,
        "about": one_of(["group", "address"]),
        "vm": _NULL_TEXT,
        "pid": _NULL_WHOLE,
        "vcpu": _NULL_WHOLE,
        "tid": _NULL_WHOLE,
        "reason": _NULL_TEXT,
        **_TARGET,
        "address_hex": _NULL_TEXT,
        **_NAMED,
        **_COLUMNS,
    },
)
DIFF = document(
    "bpfexit.diff/2",
    {"about": one_of(["all", "group", "address"])},
    {
        "before": {"anyOf": [_SIDE, _RECORDED]},
        "after": {"anyOf": [_SIDE, _RECORDED]},
        "differing": TEXTS,
        "same": BOOL,
        "time": one_of(["user", "exits"]),
        "saved_ns_per_s": _NULL_NUMBER,
        "lines": WHOLE,
        "hidden": WHOLE,
        "vm": _NULL_TEXT,
        "vcpu": _NULL_WHOLE,
        "reason": _NULL_TEXT,
        **_TARGET,
        **_NAMED,
        "status": one_of(["appeared", "vanished", "changed", "same"]),
        "rate_ratio": _NULL_NUMBER,
        "mean_ratio": _NULL_NUMBER,
        "latency": obj({"verdict": TEXT, "larger": _NULL_NUMBER, "p": _NULL_NUMBER}),
    },
)
_EVIDENCE = obj({"reason": _NULL_TEXT, **_TARGET, **_NAMED, "vcpu_share": _NULL_NUMBER, **_COLUMNS})
DIAGNOSIS = document(
    "bpfexit.diagnosis/2",
    {"about": one_of(["all", "guest", "finding", "hint", "expected"])},
    {
        **_TIME,
        **_ORIGIN,
        "guests": WHOLE,
        "exits": WHOLE,
        "lost": _LOST,
        "vm": TEXT,
        "pid": WHOLE,
        "per_s": _NULL_NUMBER,
        "verdict": one_of(["busy", "idle", "mixed", "unknown"]),
        "findings": TEXTS,
        "vcpus": array(
            obj(
                {"vcpu": _NULL_WHOLE, "tid": WHOLE}
                | dict.fromkeys(("guest_ns", "exits_ns", "idle_ns"), _NULL_WHOLE)
                | {"user_ns": WHOLE, "exits_or_idle_ns": WHOLE}
            )
        ),
        "unexplained_share": _NULL_NUMBER,
        "unexplained": array(_EVIDENCE),
        "vcpu_share": _NULL_NUMBER,
        "rule": TEXT,
        "title": TEXT,
        "cost_ns_per_s": _NULL_NUMBER,
        "cost_of": one_of(["exits", "user", "idle", "unknown"]),
        "evidence": array(_EVIDENCE),
        "context": TEXTS,
        "cause": TEXT,
        "candidates": array(obj({"cause": TEXT, "decided_by": TEXT})),
        "fixes": array(obj(dict.fromkeys(("where", "text", "takes", "keep", "since"), TEXT))),
        "expect": TEXT,
        "confidence": one_of([None, "high", "medium", "low"]),
        "rationale": TEXT,
        "references": TEXTS,
    },
)
COST = document(
    "bpfexit.cost/2",
    {"about": one_of(["all", "program"]), "runs": WHOLE, "ns": WHOLE, "core_share": _NULL_NUMBER},
    {
        **_TIME,
        "unit": one_of(["exit", "access"]),
        "exits": WHOLE,
        "runs_per_exit": _NULL_NUMBER,
        "ns_per_exit": _NULL_NUMBER,
        "vcpu_share": _NULL_NUMBER,
        "process_cpu_ns": WHOLE,
        "process_core_share": _NULL_NUMBER,
        "event": TEXT,
        "mean_ns": _NULL_NUMBER,
    },
)
CHECK = document(
    "bpfexit.check/2",
    {"name": TEXT, "status": one_of(["ok", "warn", "fail"]), "fact": TEXT, "remedy": TEXT},
)
GUESTS = document(
    "bpfexit.guests/2",
    {
        "name": TEXT,
        "named_by": _NULL_TEXT,
        "pid": WHOLE,
        "vmm": _NULL_TEXT,
        "vcpus": WHOLE,
        "memory_bytes": _NULL_WHOLE,
        "resident_bytes": _NULL_WHOLE,
        "running_s": _NULL_NUMBER,
        "uuid": _NULL_TEXT,
    },
)
TESTGUEST = document(
    "bpfexit.testguest/2",
    {"pid": WHOLE, "vcpus": array({"type": "object"})},
    {"duration_s": NUMBER, "ready": BOOL},
)

SCHEMAS: dict[str, Schema] = {
    each["title"].removeprefix("bpfexit.").removesuffix("/2"): each
    for each in (
        SNAPSHOT, RECORDING, GUEST, SLOW, HIST, LINE, DIFF, DIAGNOSIS, COST, CHECK, GUESTS,
        TESTGUEST,
    )
}  # fmt: skip
"""Every schema by its name in `bpfexit schema NAME`."""
