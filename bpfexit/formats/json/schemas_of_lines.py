"""JSON Schemas of the documents about lines: reports, comparisons, diagnoses."""

from bpfexit.formats.json.schema_fields import (
    ALL_NUMBERS,
    LOST,
    NAMED,
    NULL_NUMBER,
    NULL_TEXT,
    NULL_WHOLE,
    NUMBERS,
    ORIGIN,
    REASON,
    TARGET,
    TIME,
)
from bpfexit.formats.json.schema_terms import (
    BOOL,
    INTEGER,
    TEXT,
    TEXTS,
    WHOLE,
    array,
    document,
    null_or,
    obj,
    one_of,
    required_by,
)
from bpfexit.formats.json.usage import GUEST_SCHEMA
from bpfexit.model.vcpu_parts import PARTS

_SIDE = obj(
    {"count": WHOLE}
    | dict.fromkeys(
        (
            "per_s", "time_ns_per_s", "mean_ns", "p50_ns", "p99_ns", "user", "user_mean_ns"
        ),
        NULL_NUMBER,
    )
)  # fmt: skip
_REPORT_INTERVAL = {
    **ORIGIN,
    "exits": WHOLE,
    "per_s": NULL_NUMBER,
    "lost": LOST,
    "in_flight": WHOLE,
    "lines": WHOLE,
    "hidden": WHOLE,
}
_REPORT_LINE = {
    "vm": NULL_TEXT,
    "pid": NULL_WHOLE,
    "vcpu": NULL_WHOLE,
    "tid": NULL_WHOLE,
    **REASON,
    **TARGET,
    "address_hex": NULL_TEXT,
    **NAMED,
    **ALL_NUMBERS,
}
_RECORDED = obj(
    {
        **TIME,
        **ORIGIN,
        "exits": WHOLE,
        "per_s": NULL_NUMBER,
        "time_ns_per_s": NULL_NUMBER,
        "lost": LOST,
    }
)
REPORT = document(
    "bpfexit.report/2",
    {**TIME, "about": one_of(["all", "group", "address"])},
    _REPORT_INTERVAL | _REPORT_LINE,
) | required_by("about", "all", [*_REPORT_INTERVAL], [*_REPORT_LINE])
DIFF = document(
    "bpfexit.diff/2",
    {"about": one_of(["all", "group", "address"])},
    {
        "before": {"anyOf": [_SIDE, _RECORDED]},
        "after": {"anyOf": [_SIDE, _RECORDED]},
        "differing": TEXTS,
        "same": BOOL,
        "time": one_of(["user", "exits"]),
        "saved_ns_per_s": NULL_NUMBER,
        "lines": WHOLE,
        "hidden": WHOLE,
        "vm": NULL_TEXT,
        "vcpu": NULL_WHOLE,
        **REASON,
        **TARGET,
        **NAMED,
        "status": one_of(["appeared", "vanished", "changed", "same"]),
        "rate_ratio": NULL_NUMBER,
        "mean_ratio": NULL_NUMBER,
        "latency": obj({"verdict": TEXT, "larger": NULL_NUMBER, "p": NULL_NUMBER}),
    },
)
_EVIDENCE = obj({"reason": NULL_TEXT, **TARGET, **NAMED, "vcpu_share": NULL_NUMBER, **NUMBERS})
DIAGNOSIS = document(
    "bpfexit.diagnosis/2",
    {"about": one_of(["all", "guest", "finding", "hint", "expected"])},
    {
        **TIME,
        **ORIGIN,
        "guests": WHOLE,
        "exits": WHOLE,
        "lost": LOST,
        "vm": TEXT,
        "pid": WHOLE,
        "per_s": NULL_NUMBER,
        "verdict": one_of(["busy", "idle", "mixed", "unknown"]),
        "findings": TEXTS,
        "vcpus": array(
            obj(
                {"vcpu": NULL_WHOLE, "tid": WHOLE}
                | dict.fromkeys(PARTS, null_or(INTEGER))
                | {"exits_ns": NULL_WHOLE, "exits_or_idle_ns": WHOLE}
            )
        ),
        "usage": null_or(GUEST_SCHEMA),
        "unexplained_share": NULL_NUMBER,
        "unexplained": array(_EVIDENCE),
        "vcpu_share": NULL_NUMBER,
        "rule": TEXT,
        "title": TEXT,
        "cost_ns_per_s": NULL_NUMBER,
        "cost_of": one_of(["exits", "user", "idle", "waiting", "unknown"]),
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
