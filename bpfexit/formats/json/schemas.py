"""JSON Schemas of the documents that bpfexit writes, one for each `bpfexit.*/2`.

`docs/generate.py` writes them to `bpfexit/schemas`, where they are package data. Fields may be
added to a document, so none forbids more of them; none changes its meaning.
"""

from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.schema_fields import (
    ACCESS,
    BUCKETS,
    LOST,
    NAMED,
    NULL_NUMBER,
    NULL_TEXT,
    NULL_WHOLE,
    ORIGIN,
    REASON,
    TARGET,
    THREAD,
    TIME,
)
from bpfexit.formats.json.schema_terms import (
    BOOL,
    INTEGER,
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
from bpfexit.formats.json.schemas_of_lines import DIAGNOSIS, DIFF, REPORT
from bpfexit.formats.json.slow import PARTS as PARTS_OF_SLOW_EXITS
from bpfexit.formats.json.usage import SCHEMA as USAGE
from bpfexit.model.event_counts import Source as EventOrigin
from bpfexit.model.vcpu_parts import PARTS
from bpfexit.names.reasons import Isa

_ROW = obj(
    {
        **THREAD,
        "isa": one_of([None, *(isa.name.lower() for isa in Isa if isa)]),
        "reason": NULL_TEXT,
        **TARGET,
        "size": NULL_WHOLE,
        "count": WHOLE,
        "total_ns": NULL_WHOLE,
        "max_ns": NULL_WHOLE,
        "user_count": WHOLE,
        "user_ns": WHOLE,
        "wait_ns": NULL_WHOLE,
        "user_wait_ns": NULL_WHOLE,
        "no_latency": WHOLE,
        "hist": BUCKETS,
    },
    {"blocked_ns": NULL_WHOLE, "user_blocked_ns": WHOLE, "poll_ns": WHOLE, **NAMED},
)
_EXIT = {
    "end": NUMBER,
    **THREAD,
    "reason": NULL_TEXT,
    **TARGET,
    "size": NULL_WHOLE,
    "rip": NULL_WHOLE,
    "ns": NULL_WHOLE,
    "user_ns": WHOLE,
    **dict.fromkeys(PARTS_OF_SLOW_EXITS, NULL_WHOLE),
}
_PROGRAM = {"event": TEXT, "runs": WHOLE, "ns": WHOLE}
_COST = obj(
    {
        "cpu_s": NUMBER,
        "over_s": NUMBER,
        "programs": null_or(obj({**TIME, "exits": WHOLE, "programs": array(obj(_PROGRAM))})),
    }
)


SNAPSHOT = document(
    "bpfexit.snapshot/2",
    {
        **TIME,
        **ORIGIN,
        "lost": LOST,
        "in_flight": WHOLE,
        "ended_pids": array(WHOLE),
        "cost": null_or(_COST),
        "vcpus": array(obj(THREAD | dict.fromkeys(PARTS, null_or(INTEGER)))),
        "rows": array(_ROW),
    },
    {
        "only_reasons": TEXTS,
        "usage": USAGE,
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
        **ORIGIN,
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
        "mapped_by": NULL_TEXT,
        "ended": BOOL,
        "manager": TEXT,
        "cpu_quota": NULL_NUMBER,
        "regions": array({"type": "array", "minItems": 4, "maxItems": 4}),
    },
)
SLOW = document("bpfexit.slow/2", {**_EXIT, **NAMED})
HIST = document(
    "bpfexit.hist/2",
    {
        "count": WHOLE,
        "no_latency": WHOLE,
        "total_ns": NULL_WHOLE,
        "max_ns": NULL_WHOLE,
        "buckets": BUCKETS,
    },
    {**REASON, **THREAD, **TARGET, **NAMED},
)
COST = document(
    "bpfexit.cost/2",
    {"about": one_of(["all", "program"]), "runs": WHOLE, "ns": WHOLE, "core_share": NULL_NUMBER},
    {
        **TIME,
        "unit": one_of(["exit", "access"]),
        "exits": WHOLE,
        "runs_per_exit": NULL_NUMBER,
        "ns_per_exit": NULL_NUMBER,
        "vcpu_share": NULL_NUMBER,
        "process_cpu_ns": WHOLE,
        "process_core_share": NULL_NUMBER,
        "event": TEXT,
        "mean_ns": NULL_NUMBER,
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
        "named_by": NULL_TEXT,
        "pid": WHOLE,
        "vmm": NULL_TEXT,
        "vcpus": WHOLE,
        "memory_bytes": NULL_WHOLE,
        "resident_bytes": NULL_WHOLE,
        "running_s": NULL_NUMBER,
        "uuid": NULL_TEXT,
    },
)
_EVENT = obj(
    {"process": TEXT, "guest": BOOL, "source": one_of([*EventOrigin]), "event": TEXT}
    | {"vm_id": NULL_TEXT, "per_s": NULL_NUMBER}
    | dict.fromkeys(("pid", "count", "total"), NULL_WHOLE)
)
_EVENTS = {**TIME, "lost": WHOLE, "notices": TEXTS, "events": array(_EVENT)}
EVENTS = document("bpfexit.events/2", _EVENTS)
_OPERATION = {
    "op": TEXT,
    "kind": one_of([*KIND_OF_NAME]),
    "access": ACCESS,
    "address": NULL_WHOLE,
    "size": NULL_WHOLE,
    "served": one_of(["kernel", "user"]),
    "count": WHOLE,
}
_VCPU = obj(
    {"vcpu": WHOLE, "tid": WHOLE},
    {"operations": array(obj(_OPERATION)), "control_exits": WHOLE},
)
TESTGUEST = document(
    "bpfexit.testguest/2",
    {"about": one_of(["ready", "result"]), "pid": WHOLE, "vcpus": array(_VCPU)},
    {"duration_s": NUMBER},
)

SCHEMAS: dict[str, Schema] = {
    schema["title"].removeprefix("bpfexit.").removesuffix("/2"): schema
    for schema in (
        SNAPSHOT, RECORDING, GUEST, SLOW, HIST, REPORT, DIFF, DIAGNOSIS, COST, CHECK, GUESTS,
        TESTGUEST, EVENTS,
    )
}  # fmt: skip
"""Every schema by its name in `bpfexit schema NAME`."""
