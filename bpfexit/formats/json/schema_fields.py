"""Fields that the JSON Schemas of several documents share."""

from bpfexit.events.access import Access
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.schema_terms import (
    BOOL,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    array,
    null_or,
    obj,
    one_of,
)
from bpfexit.model.columns import ALL_COLUMNS, COLUMNS
from bpfexit.model.losses import LOSSES
from bpfexit.names.reason_classes import CLASSES

NULL_WHOLE = null_or(WHOLE)
NULL_NUMBER = null_or(NUMBER)
NULL_TEXT = null_or(TEXT)
REASON = {"class": one_of([None, *CLASSES]), "reason": NULL_TEXT}
ORIGIN = {
    "host": TEXT,
    "kernel": TEXT,
    "backend": TEXT,
    "has_exit_events": BOOL,
    "has_waiting": BOOL,
    "has_blocked": BOOL,
    "views": TEXTS,
}
LOST = obj(dict.fromkeys(LOSSES, WHOLE))
NAMED = {"name": NULL_TEXT, "named_by": NULL_TEXT}
BUCKETS = array({"type": "array", "items": WHOLE, "minItems": 3, "maxItems": 3})
ACCESS = one_of([None, *(access.name.lower() for access in Access if access)])
TARGET = {"kind": one_of([*KIND_OF_NAME]), "access": ACCESS, "address": NULL_WHOLE}
THREAD = {"vm": TEXT, "pid": WHOLE, "tid": WHOLE, "vcpu": NULL_WHOLE}
TIME = {"start": NUMBER, "duration_s": NUMBER}
NUMBERS = {column.json_name: NULL_NUMBER for column in COLUMNS}
ALL_NUMBERS = {column.json_name: NULL_NUMBER for column in ALL_COLUMNS}
