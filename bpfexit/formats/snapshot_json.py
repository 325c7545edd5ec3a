"""`bpfexit.snapshot/1`: one snapshot, one line of JSON; what `top -j` prints and replays.

A number that is not known is null: `reason` where the back end gives none,
`total_ns` and `max_ns` of a row in which no exit has a latency, `guest_ns`
where no `kvm_entry` is emitted.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from bpfexit.errors import BpfexitError
from bpfexit.model.histogram import LOWER_NS, buckets
from bpfexit.model.reasons import Isa
from bpfexit.model.rows import NO_REASON, NO_VCPU, Access, Kind, Rows, no_rows
from bpfexit.model.snapshot import VCPU_FIELDS, Lost, Origin, Snapshot

SCHEMA = "bpfexit.snapshot/1"

_ISAS = {isa.value: None if isa is Isa.NONE else isa.name.lower() for isa in Isa}
_KINDS = {kind.value: None if kind is Kind.NONE else kind.name.lower() for kind in Kind}
_ACCESSES = {each.value: None if each is Access.NONE else each.name.lower() for each in Access}
_ISA_OF = {name: value for value, name in _ISAS.items()}
_KIND_OF = {name: value for value, name in _KINDS.items()}
_ACCESS_OF = {name: value for value, name in _ACCESSES.items()}
_BUCKET_OF = {int(lower): place for place, lower in enumerate(LOWER_NS)}
_MAX_COUNT = 2**63 - 1


def encode(snapshot: Snapshot) -> str:
    """Return the line, without its newline."""
    origin = snapshot.origin
    document = {
        "schema": SCHEMA,
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        "host": origin.host,
        "kernel": origin.kernel,
        "backend": origin.backend,
        "emits_exits": origin.emits_exits,
        "lost": asdict(snapshot.lost),
        "in_flight": snapshot.in_flight,
        "vcpus": [_vcpu(each, snapshot) for each in snapshot.vcpus.tolist()],
        "rows": list(_rows(snapshot)),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _vcpu(values: tuple[int, ...], snapshot: Snapshot) -> dict[str, Any]:
    vm, pid, tid, vcpu, guest_ns = values
    known = snapshot.origin.emits_exits
    return {
        "vm": snapshot.vms[vm],
        "pid": pid,
        "tid": tid,
        "vcpu": None if vcpu == NO_VCPU else vcpu,
        "guest_ns": guest_ns if known else None,
    }


def _rows(snapshot: Snapshot) -> Iterable[dict[str, Any]]:
    names = snapshot.rows.fields.dtype.names or ()
    for values, hist in zip(snapshot.rows.fields.tolist(), snapshot.rows.hist, strict=True):
        row = dict(zip(names, values, strict=True))
        timed, kind = row.pop("timed"), row["kind"]
        yield row | {
            "vm": snapshot.vms[row["vm"]],
            "vcpu": None if row["vcpu"] == NO_VCPU else row["vcpu"],
            "isa": _ISAS[row["isa"]],
            "reason": None if row["reason"] == NO_REASON else snapshot.reasons[row["reason"]],
            "kind": _KINDS[kind],
            "access": _ACCESSES[row["access"]],
            "address": row["address"] if kind else None,
            "size": row["size"] or None,
            "total_ns": row["total_ns"] if timed else None,
            "max_ns": row["max_ns"] if timed else None,
            "untimed": row["count"] - timed,
            "hist": buckets(hist, row["max_ns"]),
        }


def decode(line: str) -> Snapshot:
    """Read a line back. Raises `BpfexitError` for whatever is not such a line."""
    try:
        document = json.loads(line)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise BpfexitError(f"it is not of the schema {SCHEMA}")
        return _snapshot(document)
    except RecursionError:
        raise BpfexitError("it is nested too deeply") from None
    except KeyError as error:
        raise BpfexitError(f"{_short(error.args[0])} is missing or not known") from None
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError) as error:
        raise BpfexitError(f"it does not parse ({_short(error)})") from None


def _short(what: object) -> str:
    return ascii(str(what))[1:-1][:80]


def _snapshot(document: dict[str, Any]) -> Snapshot:
    rows, vcpus = document["rows"], document["vcpus"]
    vms = _names(str(each["vm"]) for each in [*vcpus, *rows])
    reasons = _names(str(each["reason"]) for each in rows if each["reason"] is not None)
    lost = {name: _count(value) for name, value in document["lost"].items()}
    return Snapshot(
        start=_seconds(document["start"]),
        duration_s=_seconds(document["duration_s"]),
        rows=_decoded_rows(rows, vms, reasons),
        vcpus=np.array([_vcpu_values(each, vms) for each in vcpus], VCPU_FIELDS),
        vms=tuple(vms),
        reasons=tuple(reasons),
        lost=Lost(**{name: lost.get(name, 0) for name in asdict(Lost())}),
        in_flight=_count(document.get("in_flight", 0)),
        origin=Origin(
            str(document.get("host", "")),
            str(document.get("kernel", "")),
            str(document.get("backend", "")),
            bool(document.get("emits_exits", True)),
        ),
    )


def _names(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 <= seconds < 1e12:
        raise ValueError(f"{value} is no time")
    return seconds


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise ValueError(f"{value} is no count")
    return value


def _vcpu_values(each: dict[str, Any], vms: dict[str, int]) -> tuple[int, ...]:
    return (
        vms[str(each["vm"])],
        each["pid"],
        each["tid"],
        NO_VCPU if each["vcpu"] is None else each["vcpu"],
        _count(each["guest_ns"] or 0),
    )


def _decoded_rows(rows: list[Any], vms: dict[str, int], reasons: dict[str, int]) -> Rows:
    decoded = no_rows(len(rows))
    for place, row in enumerate(rows):
        _fill_histogram(decoded.hist[place], row["hist"])
        decoded.fields[place] = _row_values(row, vms, reasons)
    decoded.fields["timed"] = decoded.hist.sum(axis=1)
    return decoded


def _fill_histogram(hist: Any, triples: list[Any]) -> None:
    for lower, _, count in triples:
        hist[_BUCKET_OF[lower]] += _count(count)


def _row_values(row: dict[str, Any], vms: dict[str, int], reasons: dict[str, int]) -> Any:
    reason = row["reason"]
    return (
        vms[str(row["vm"])],
        row["pid"],
        row["tid"],
        NO_VCPU if row["vcpu"] is None else row["vcpu"],
        _ISA_OF[row["isa"]],
        NO_REASON if reason is None else reasons[str(reason)],
        _KIND_OF[row["kind"]],
        _ACCESS_OF[row["access"]],
        row.get("size") or 0,
        row["address"] or 0,
        _count(row["count"]),
        0,
        _count(row["total_ns"] or 0),
        _count(row["max_ns"] or 0),
        _count(row["user_count"]),
        _count(row["user_ns"]),
    )
