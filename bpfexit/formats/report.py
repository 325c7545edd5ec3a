"""`bpfexit.report/2`: the lines of a view, as JSON lines or as CSV.

JSON has a document on the interval (`about` is `all`), then one for each line: of a
`group`, or of an `address`, which is part of the group before it. CSV has the lines alone,
with the same fields; a value that is unknown is null, or empty. `start` is unix time in s,
`duration_s` in s; `bpfexit.model.columns` has the units of the numbers.
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from bpfexit.formats.csv_lines import csv_line
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json.fields import number, numbers, target, vcpu
from bpfexit.formats.json.text import line_of
from bpfexit.model.columns import ALL_COLUMNS
from bpfexit.model.lines import Line
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query, View, view

SCHEMA = "bpfexit.report/2"

FIELDS = (
    "start", "duration_s", "about", "vm", "pid", "vcpu", "tid", "class", "reason",
    "kind", "access", "address", "address_hex", "name", "named_by",
    *(column.json_name for column in ALL_COLUMNS),
)  # fmt: skip
"""The fields of a line, in the order of CSV."""


def json_lines(snapshot: Snapshot, query: Query) -> Iterator[str]:
    """Yield a document on the snapshot, then one for each line of its view, with newlines."""
    table = view(snapshot, query)
    documents = chain([_whole(snapshot, table)], (_line(snapshot, line) for line in table.lines))
    for document in documents:
        yield line_of({"schema": SCHEMA, **document}) + "\n"


def csv_header() -> str:
    """Return the first line of CSV."""
    return csv_line(FIELDS)


def csv_lines(snapshot: Snapshot, query: Query) -> Iterator[str]:
    """Yield the lines of a snapshot's view, with newlines and without a header."""
    for line in view(snapshot, query).lines:
        values = _line(snapshot, line)
        yield csv_line(values[name] for name in FIELDS)


def _interval(snapshot: Snapshot) -> dict[str, Any]:
    return {"start": snapshot.start, "duration_s": snapshot.duration_s}


def _whole(snapshot: Snapshot, table: View) -> dict[str, Any]:
    return {
        **_interval(snapshot),
        "about": "all",
        **origin_json.document(snapshot.origin),
        "exits": snapshot.exits,
        "per_s": number(snapshot.per_second(snapshot.exits)),
        "lost": asdict(snapshot.lost),
        "in_flight": snapshot.in_flight,
        "lines": len(table.lines),
        "hidden": table.hidden,
    }


def _line(snapshot: Snapshot, line: Line) -> dict[str, Any]:
    return {
        **_interval(snapshot),
        "about": "address" if line.depth else "group",
        "vm": line.vm,
        "pid": line.pid,
        "vcpu": vcpu(line.vcpu),
        "tid": line.tid,
        "class": line.reason_class,
        "reason": line.reason,
        **target(line),
        "address_hex": None if line.address is None else line.kind.number(line.address),
        **numbers(line, ALL_COLUMNS),
    }
