"""`bpfexit.snapshot/2`: one snapshot, one line of JSON; as `top -j` writes and reads it.

`ended_pids` are the processes of guests that have ended, in that interval or before.
Unknown numbers are null: `reason` if the back end has none, `total_ns` and `max_ns` of a
row without latencies, `guest_ns` on a back end without `kvm_entry`, and `programs` of
`cost` in an interval in which it was not measured.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.events.registry import KINDS
from bpfexit.formats.json import lists as json_lists
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json import rows as rows_json
from bpfexit.formats.json import slow as slow_json
from bpfexit.formats.json.values import (
    MAX_ID,
    Budget,
    Line,
    Names,
    as_bytes,
    count,
    decode_errors,
    seconds,
    short_text,
    shortened,
    thread,
    wholes,
)
from bpfexit.formats.json.version1 import translated
from bpfexit.formats.names import named
from bpfexit.model.grouping import Naming
from bpfexit.model.guest import Guest
from bpfexit.model.histograms import A_BUCKET_IN_USE
from bpfexit.model.losses import LOSSES, Lost
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.rows import FIELDS, NO_REASON, NO_VCPU, JoinedRows, Rows
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import VCPU_FIELDS, Snapshot
from bpfexit.model.totals import check_totals

SCHEMA = "bpfexit.snapshot/2"

MEMORY = 96 << 20
"""Maximum bytes of a snapshot that is read; 200,000 rows with 14 buckets in use each take 52 MB."""

_ROWS_A_PIECE = 1024
_NAMES_KEPT = 4096
_ENDED_KEPT = 1024
_A_ROW, _A_BUCKET = 128, 8
"""Minimum characters of a row, which are its fields' names, and of a bucket, `[0,16,1]`."""
_A_SLOW_EXIT = 1000
"""Bytes of a guest, without its names."""


def encode(snapshot: Snapshot, naming: Naming | None = None) -> str:
    """Return the line, without its newline; with `naming`, rows have the names of addresses."""
    return "".join(pieces(snapshot, naming))


def pieces(snapshot: Snapshot, naming: Naming | None = None) -> Iterator[str]:
    """Yield the line, without its newline, in pieces: as a whole, it may take much memory."""
    document = {
        "schema": SCHEMA,
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        **origin_json.document(snapshot.origin),
        "lost": asdict(snapshot.lost),
        "in_flight": snapshot.in_flight,
        "ended_pids": _ended_pids(snapshot),
        "cost": _cost(snapshot.cost),
        "vcpus": [_vcpu(each, snapshot) for each in snapshot.vcpus.tolist()],
    }
    if snapshot.only:
        document["only_reasons"] = snapshot.only
    if snapshot.slow:
        document["slow"] = slow_json.document(snapshot.slow)
    yield _json(document).removesuffix("}") + ',"rows":['
    name = _names_of(snapshot, naming)
    for first in range(0, len(snapshot.rows), _ROWS_A_PIECE):
        rows = snapshot.rows.part(first, first + _ROWS_A_PIECE)
        documents = [*_rows(snapshot, rows, name)]
        piece = orjson.dumps(documents, option=orjson.OPT_SERIALIZE_NUMPY)
        yield "," * bool(first) + str(memoryview(piece)[1:-1], "ascii")
    yield "]}"


def _ended_pids(snapshot: Snapshot) -> list[int]:
    """Return the processes that have ended, except if another guest has their PID by now."""
    living = {guest.pid for guest in snapshot.guests if not guest.ended}
    return sorted({pid for pid, _ in snapshot.ended} - living)


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _cost(cost: OwnCost) -> dict[str, Any] | None:
    return None if cost == OwnCost() else asdict(cost)


def _vcpu(values: tuple[int, ...], snapshot: Snapshot) -> dict[str, Any]:
    vm, pid, tid, vcpu, guest_ns = values
    known = snapshot.origin.has_exit_events
    return {
        "vm": snapshot.vms[vm],
        "pid": pid,
        "tid": tid,
        "vcpu": None if vcpu == NO_VCPU else vcpu,
        "guest_ns": guest_ns if known else None,
    }


def _rows(
    snapshot: Snapshot, rows: Rows, name: Callable[..., dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    vms, reasons = _ascii(snapshot.vms), _ascii(snapshot.reasons)
    buckets = rows.hist.buckets(rows["max_ns"])
    starts = rows.hist.starts().tolist()
    for values, first, end in zip(rows.fields.tolist(), starts[:-1], starts[1:], strict=True):
        (vm, pid, tid, vcpu, isa, reason, kind, access, size, address,
         exits, timed, total_ns, max_ns, user_count, user_ns) = values  # fmt: skip
        # CPython makes a dictionary of up to 15 entries at once: that is a third of the time.
        row = {
            "vm": vms[vm],
            "pid": pid,
            "tid": tid,
            "vcpu": None if vcpu == NO_VCPU else vcpu,
            "isa": rows_json.ISAS[isa],
            "reason": None if reason == NO_REASON else reasons[reason],
            "kind": KINDS[kind].json_name,
            "access": rows_json.ACCESSES[access],
            "size": size or None,
            "address": address if kind else None,
            "count": exits,
            "total_ns": total_ns if timed else None,
            "max_ns": max_ns if timed else None,
            "user_count": user_count,
            "user_ns": user_ns,
        }
        row["no_latency"] = exits - timed
        row |= name(kind, address, vm, pid)
        row["hist"] = buckets[first:end]
        yield row


def _ascii(names: Iterable[str | None]) -> list[orjson.Fragment]:
    """Return names as JSON text that is pure ASCII, unlike orjson's."""
    return [orjson.Fragment(_json(name)) for name in names]


def _names_of(snapshot: Snapshot, naming: Naming | None) -> Callable[..., dict[str, Any]]:
    """Return what names a row's kind, address, vm and pid; rows of many vCPUs share these."""
    if naming is None:
        return lambda *_: {}

    @lru_cache(_NAMES_KEPT)
    def name(kind: int, address: int, vm: int, pid: int) -> dict[str, Any]:
        known = named(naming(KINDS[kind], address, snapshot.vms[vm], pid) if kind else None)
        return dict(zip(known, _ascii(known.values()), strict=True))

    return name


def decode(line: Line) -> Snapshot:
    """Read a line back. Raises `BpfexitError` if it is not such a line."""
    with decode_errors():
        text = as_bytes(line)
        lists = _Lists(len(text))
        document = translated(json_lists.parse(text, lists.takers()))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise BpfexitError(f"it is not of the schema {SCHEMA}")
        lists.check_places(document)
        return _snapshot(document, lists)


class _Lists:
    """The long lists of a document as they are read; each takes at most `MEMORY`."""

    def __init__(self, size: int) -> None:
        """`size` is that of the document's text, which bounds how many entries it has."""
        self._budget = Budget(MEMORY)
        self._vms, self._reasons = Names(self._budget), Names(self._budget)
        most_rows = min(size // _A_ROW, MEMORY // FIELDS.itemsize)
        self._rows = JoinedRows(most_rows, min(size // _A_BUCKET, MEMORY // A_BUCKET_IN_USE))
        self._vcpus: list[NDArray[Any]] = []
        self.slow: list[SlowExit] = []

    def takers(self) -> dict[str, json_lists.Take]:
        """Return what takes each list. Kept here, it would be a circle that keeps all of them."""
        return {"rows": self._take_rows, "vcpus": self._take_vcpus, "exits": self._take_slow}

    def check_places(self, document: dict[str, Any]) -> None:
        """Refuse a list at a wrong position, where its entries belong to another list."""
        slow = document.get("slow") or {"exits": []}
        for name, value in (
            ("rows", document["rows"]),
            ("vcpus", document["vcpus"]),
            ("exits", slow["exits"]),
        ):
            if value != []:
                raise ValueError(f"{name} is not a list")

    def rows(self) -> Rows:
        return self._rows.all()

    def vcpus(self) -> NDArray[Any]:
        parts = self._vcpus or [np.zeros(0, VCPU_FIELDS)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @property
    def vms(self) -> tuple[str, ...]:
        return tuple(self._vms)

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(self._reasons)

    def _take_rows(self, entries: list[Any]) -> None:
        rows = rows_json.decode(entries, self._vms, self._reasons)
        self._budget.take(rows.nbytes)
        self._rows.add(rows)

    def _take_vcpus(self, entries: list[Any]) -> None:
        vcpus = np.array([_vcpu_values(each, self._vms) for each in entries], VCPU_FIELDS)
        self._budget.take(vcpus.nbytes)
        self._vcpus.append(vcpus)

    def _take_slow(self, entries: list[Any]) -> None:
        for entry in entries:
            slow = slow_json.decoded_exit(entry)
            self._budget.take(_A_SLOW_EXIT + 4 * (len(slow.vm) + len(slow.reason or "")))
            self.slow.append(slow)


def _snapshot(document: dict[str, Any], lists: _Lists) -> Snapshot:
    rows, vcpus, vms = lists.rows(), lists.vcpus(), lists.vms
    lost = {name: count(value) for name, value in document["lost"].items()}
    snapshot = Snapshot(
        start=seconds(document["start"]),
        duration_s=seconds(document["duration_s"]),
        rows=rows,
        vcpus=vcpus,
        vms=vms,
        reasons=lists.reasons,
        lost=Lost(**{name: lost.get(name, 0) for name in LOSSES}),
        in_flight=count(document.get("in_flight", 0)),
        origin=origin_json.decoded(document),
        guests=_ended(document.get("ended_pids", []), rows, vcpus, vms),
        slow=slow_json.decoded(document.get("slow"), lists.slow),
        only=tuple(map(short_text, document.get("only_reasons", ()))),
        cost=_decoded_cost(document.get("cost")),
    )
    check_totals([snapshot.rows], snapshot.vcpus)
    return snapshot


def _ended(
    pids: list[Any], rows: Rows, vcpus: NDArray[Any], vms: tuple[str, ...]
) -> tuple[Guest, ...]:
    """Return the guests that have ended, by name if they took part in the interval."""
    wholes(pids, MAX_ID)
    guests = dict(zip(pids, map(_ended_guests, pids), strict=True))
    names: dict[int, dict[str, None]] = defaultdict(dict)
    for pid, vm in _owners(rows.fields) | _owners(vcpus) if guests else ():
        if pid in guests:
            names[pid][shortened(vms[vm])] = None
    guests |= {pid: _ended_guests(pid, *those) for pid, those in names.items()}
    return tuple(chain.from_iterable(guests.values()))


def _owners(fields: NDArray[Any]) -> dict[tuple[int, int], None]:
    """Return whose entries there are, by process and place of the name, in order."""
    return dict.fromkeys(zip(fields["pid"].tolist(), fields["vm"].tolist(), strict=True))


@lru_cache(_ENDED_KEPT)
def _ended_guests(pid: int, *names: str) -> tuple[Guest, ...]:
    """Return the guests of a process that has ended; each interval after that reports them."""
    return tuple(Guest(pid, name, ended=True) for name in names or [f"pid:{pid}"])


def _decoded_cost(cost: dict[str, Any] | None) -> OwnCost:
    """Return nothing for null, and for a line that an older bpfexit wrote."""
    if cost is None:
        return OwnCost()
    programs = cost["programs"]
    return OwnCost(
        seconds(cost["cpu_s"]),
        seconds(cost["over_s"]),
        None if programs is None else _programs_cost(programs),
    )


def _programs_cost(cost: dict[str, Any]) -> ProgramsCost:
    return ProgramsCost(
        start=seconds(cost["start"]),
        duration_s=seconds(cost["duration_s"]),
        exits=count(cost["exits"]),
        programs=tuple(
            ProgramRuns(short_text(each["event"]), count(each["runs"]), count(each["ns"]))
            for each in cost["programs"]
        ),
    )


def _count_or_null(value: Any) -> int:
    return 0 if value is None else count(value)


def _vcpu_values(each: dict[str, Any], vms: dict[str, int]) -> tuple[int, ...]:
    return (vms[str(each["vm"])], *thread(each), _count_or_null(each["guest_ns"]))
