"""The rows of a snapshot as JSON text, made column by column, because there may be many."""

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from bpfexit.events.registry import KINDS
from bpfexit.formats.json.column_text import Texts, known_texts, number_texts, records
from bpfexit.formats.json.hist_text import histogram_texts
from bpfexit.formats.json.rows import ACCESSES, ISAS
from bpfexit.formats.json.vcpu_text import OWNER, Owner
from bpfexit.formats.names import named
from bpfexit.model.grouping import Naming
from bpfexit.model.rows import NO_REASON, Rows, group_indexes
from bpfexit.model.snapshot import Origin, Snapshot

_ROWS_A_PIECE = 2048
_TEXTS_KEPT = 4096

Text = Callable[..., str]


def pieces(snapshot: Snapshot, owner: Owner, naming: Naming | None) -> Iterator[str]:
    """Yield the rows as text, some at a time: the entries of a list.

    `owner` writes the fields of the vCPU.
    """
    target, name = _target(snapshot), _name(snapshot, naming)
    for first in range(0, len(snapshot.rows), _ROWS_A_PIECE):
        rows = snapshot.rows.part(first, first + _ROWS_A_PIECE)
        numbers = ((f',"{field}":', texts) for field, texts in _numbers(rows, snapshot.origin))
        text = records(
            len(rows),
            ",{",
            _shared(owner, rows, *OWNER),
            ",",
            _shared(target, rows, "isa", "reason", "kind", "access", "size"),
            ',"address":',
            known_texts(rows["address"], rows["kind"] > 0),
            *chain.from_iterable(numbers),
            _shared(name, rows, "kind", "address", "vm", "pid"),
            ',"hist":[',
            histogram_texts(rows.hist, rows["max_ns"]),
            "]}",
        )
        yield text if first else text.removeprefix(",")


def _numbers(rows: Rows, origin: Origin) -> Iterator[tuple[str, Texts]]:
    """Yield the fields that are numbers, by name; what is measured on request may be missing."""
    timed = rows["timed"] > 0
    yield "count", number_texts(rows["count"])
    yield "total_ns", known_texts(rows["total_ns"], timed)
    yield "max_ns", known_texts(rows["max_ns"], timed)
    yield "user_count", number_texts(rows["user_count"])
    yield "user_ns", number_texts(rows["user_ns"])
    waiting = np.full(len(rows), origin.has_waiting)
    yield "wait_ns", known_texts(rows["wait_ns"], timed & waiting)
    yield "user_wait_ns", known_texts(rows["user_wait_ns"], waiting)
    if origin.has_blocked:
        yield "blocked_ns", known_texts(rows["blocked_ns"], timed)
        yield "user_blocked_ns", number_texts(rows["user_blocked_ns"])
    if origin.has_polling:
        yield "poll_ns", number_texts(rows["poll_ns"])
    yield "no_latency", number_texts(rows["count"] - rows["timed"])


def _shared(text: Text, rows: Rows, *names: str) -> Texts:
    """Return each row's text; rows that agree in the named fields share it."""
    group_of, firsts = group_indexes(rows.fields, names)
    columns = (rows[name][firsts].tolist() for name in names)
    texts = [*map(text, *columns)]
    if len(texts) == 1:
        return texts[0]
    shared: list[str] = np.array(texts, object)[group_of].tolist()
    return shared


def _target(snapshot: Snapshot) -> Text:
    """Return what writes the reason of a row and how it accesses what."""

    @lru_cache(_TEXTS_KEPT)
    def target(isa: int, reason: int, kind: int, access: int, size: int) -> str:
        fields = {
            "isa": ISAS[isa],
            "reason": None if reason == NO_REASON else snapshot.reasons[reason],
            "kind": KINDS[kind].json_name,
            "access": ACCESSES[access],
            "size": size or None,
        }
        return _json(fields)[1:-1]

    return target


def _name(snapshot: Snapshot, naming: Naming | None) -> Text:
    """Return what writes the name of a row's address, if it has one."""
    if naming is None:
        return lambda *_: ""

    @lru_cache(_TEXTS_KEPT)
    def name(kind: int, address: int, vm: int, pid: int) -> str:
        known = naming(KINDS[kind], address, snapshot.vms[vm], pid) if kind else None
        return "," + _json(named(known))[1:-1]

    return name


def _json(value: Any) -> str:
    """Return JSON text of pure ASCII."""
    return json.dumps(value, separators=(",", ":"))
