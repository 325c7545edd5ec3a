"""The rows of a snapshot's document, read column by column, because there may be many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.values import MAX_ADDRESS, MAX_COUNT, MAX_ID, MAX_VCPU, wholes
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.histograms import Histograms
from bpfexit.model.rows import NO_REASON, NO_VCPU, REQUESTED_SUMS, Rows, no_rows
from bpfexit.names.reasons import Isa

ISAS = {isa.value: None if isa is Isa.NONE else isa.name.lower() for isa in Isa}
ACCESSES = {
    access.value: None if access is Access.NONE else access.name.lower() for access in Access
}

_CODES = {
    "isa": {name: value for value, name in ISAS.items()},
    "kind": {name: int(kind) for name, kind in KIND_OF_NAME.items()},
    "access": {name: value for value, name in ACCESSES.items()},
}
_NUMBERS = {"pid": MAX_ID, "tid": MAX_ID} | dict.fromkeys(
    ("count", "user_count", "user_ns"), MAX_COUNT
)
_NUMBERS_OR_NULL = {"address": MAX_ADDRESS, "total_ns": MAX_COUNT, "max_ns": MAX_COUNT}
_NUMBERS_OF_LATER = dict.fromkeys(("wait_ns", "user_wait_ns"), MAX_COUNT) | {"size": 2**8 - 1}
"""May be null, or missing in recordings of older versions."""
_BUCKET_OF = {int(lower): bucket for bucket, lower in enumerate(LOWER_NS)}


def decode(rows: list[Any], vms: dict[str, int], reasons: dict[str, int]) -> Rows:
    """Return the rows; names become indices. Raises the errors of `decode_errors`."""
    fields = no_rows(len(rows)).fields
    fields["vm"] = [vms[str(row["vm"])] for row in rows]
    fields["reason"] = [_reason(row["reason"], reasons) for row in rows]
    vcpus = [row["vcpu"] for row in rows]
    known = np.array([vcpu is not None for vcpu in vcpus], bool)
    fields["vcpu"] = np.where(known, wholes(_without_null(vcpus), MAX_VCPU), NO_VCPU)
    for name, codes in _CODES.items():
        fields[name] = [codes[row[name]] for row in rows]
    for name, most in _NUMBERS.items():
        fields[name] = wholes([row[name] for row in rows], most)
    for name, most in _NUMBERS_OR_NULL.items():
        fields[name] = wholes(_without_null([row[name] for row in rows]), most)
    for name, most in _NUMBERS_OF_LATER.items():
        fields[name] = wholes(_without_null([row.get(name) for row in rows]), most)
    for name in REQUESTED_SUMS:
        if any(name in row for row in rows):
            fields[name] = wholes(_without_null([row.get(name) for row in rows]), MAX_COUNT)
    hist = _histograms([row["hist"] for row in rows])
    if np.any(hist.totals() > fields["count"]):
        raise ValueError("a histogram holds more exits than its row")
    fields["timed"] = hist.totals()
    return Rows(fields, hist)


def _reason(name: Any, reasons: dict[str, int]) -> int:
    return NO_REASON if name is None else reasons[str(name)]


def _without_null(values: list[Any]) -> list[Any]:
    return [0 if value is None else value for value in values]


def _histograms(buckets: list[Any]) -> Histograms:
    """Return histograms of each row's `[lower ns, upper ns, count]`."""
    entries = [(_BUCKET_OF[lower], count) for triples in buckets for lower, _, count in triples]
    row = np.repeat(np.arange(len(buckets)), [len(triples) for triples in buckets])
    counts = wholes([count for _, count in entries], MAX_COUNT)
    _check_sums(row, counts)
    bucket = np.array([bucket_index for bucket_index, _ in entries], np.uint8)
    return Histograms.added_up(len(buckets), row, bucket, counts)


def _check_sums(row: NDArray[np.intp], counts: NDArray[np.uint64]) -> None:
    """Refuse sums that overflow 64 bits."""
    if np.any(np.bincount(row, counts.astype(np.float64)) > 1.5 * MAX_COUNT):
        raise ValueError("a histogram holds more exits than can be counted")
