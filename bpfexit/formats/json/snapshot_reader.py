"""Reads a line of `bpfexit.snapshot/2`, which is not trusted: its memory is bounded."""

from collections import defaultdict
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import lists as json_lists
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json import rows as rows_json
from bpfexit.formats.json import slow as slow_json
from bpfexit.formats.json import usage as usage_json
from bpfexit.formats.json.snapshot import SCHEMA
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
from bpfexit.model.guest import Guest
from bpfexit.model.histograms import A_BUCKET_IN_USE
from bpfexit.model.losses import LOSSES, Lost
from bpfexit.model.own_cost import OwnCost, ProgramRuns, ProgramsCost
from bpfexit.model.rows import FIELDS, JoinedRows, Rows
from bpfexit.model.slow import SlowExit
from bpfexit.model.snapshot import VCPU_FIELDS, Snapshot
from bpfexit.model.totals import check_totals
from bpfexit.model.usage import GuestUsage
from bpfexit.model.vcpu_parts import PARTS

MEMORY = 96 << 20
"""Maximum bytes of a snapshot that is read; 200,000 rows with 14 buckets in use each take 52 MB."""

_ENDED_KEPT = 1024
_A_ROW, _A_BUCKET = 128, 8
"""Minimum characters of a row, which are its fields' names, and of a bucket, `[0,16,1]`."""
_A_SLOW_EXIT = 1000
"""Bytes of a guest, without its names."""


def decode(line: Line) -> Snapshot:
    """Read a line back. Raises `BpfexitError` if it is not a valid line of this schema."""
    with decode_errors():
        text = as_bytes(line)
        lists = _Lists(len(text))
        document = translated(json_lists.parse(text, lists.takers()))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise BpfexitError(f"it is not of the schema {SCHEMA}")
        lists.check_positions(document)
        return _snapshot(document, lists)


class _Lists:
    """The long lists of a document as they are read; each takes at most `MEMORY`."""

    def __init__(self, size: int) -> None:
        """`size` is that of the document's text, which bounds the number of entries."""
        self._budget = Budget(MEMORY)
        self._vms, self._reasons = Names(self._budget), Names(self._budget)
        most_rows = min(size // _A_ROW, MEMORY // FIELDS.itemsize)
        self._rows = JoinedRows(most_rows, min(size // _A_BUCKET, MEMORY // A_BUCKET_IN_USE))
        self._vcpus: list[NDArray[Any]] = []
        self.slow: list[SlowExit] = []
        self.usages: list[GuestUsage] = []

    def takers(self) -> dict[str, json_lists.Take]:
        """Return what takes each list. Stored here, it would be a reference cycle."""
        return {
            "rows": self._take_rows,
            "vcpus": self._take_vcpus,
            "exits": self._take_slow,
            "guests": self._take_usages,
        }

    def check_positions(self, document: dict[str, Any]) -> None:
        """Refuse a list at a wrong position, where its entries belong to another list."""
        slow = document.get("slow") or {"exits": []}
        usage = document.get("usage") or {"guests": []}
        for name, value in (
            ("rows", document["rows"]),
            ("vcpus", document["vcpus"]),
            ("exits", slow["exits"]),
            ("guests", usage["guests"]),
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
        vcpus = np.array([_vcpu_values(entry, self._vms) for entry in entries], VCPU_FIELDS)
        self._budget.take(vcpus.nbytes)
        self._vcpus.append(vcpus)

    def _take_slow(self, entries: list[Any]) -> None:
        for entry in entries:
            slow = slow_json.decoded_exit(entry)
            self._budget.take(_A_SLOW_EXIT + 4 * (len(slow.vm) + len(slow.reason or "")))
            self.slow.append(slow)

    def _take_usages(self, entries: list[Any]) -> None:
        for entry in entries:
            usage = usage_json.decoded_guest(entry)
            self._budget.take(usage.size)
            self.usages.append(usage)


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
        usage=usage_json.decoded(document.get("usage"), lists.usages),
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
    """Return the owners of entries: process and index of the name, in order."""
    return dict.fromkeys(zip(fields["pid"].tolist(), fields["vm"].tolist(), strict=True))


@lru_cache(_ENDED_KEPT)
def _ended_guests(pid: int, *names: str) -> tuple[Guest, ...]:
    """Return the guests of a process that has ended; each interval after that reports them."""
    return tuple(Guest(pid, name, ended=True) for name in names or [f"pid:{pid}"])


def _decoded_cost(cost: dict[str, Any] | None) -> OwnCost:
    """Return an empty cost for null, and for a line of an older bpfexit."""
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
            ProgramRuns(short_text(program["event"]), count(program["runs"]), count(program["ns"]))
            for program in cost["programs"]
        ),
    )


def _vcpu_values(each: dict[str, Any], vms: dict[str, int]) -> tuple[int, ...]:
    has_parts = each.get("kvm_ns") is not None
    parts = [each["guest_ns"], *(each.get(name) for name in PARTS[1:])]
    return (vms[str(each["vm"])], *thread(each), *map(_part, parts), has_parts)


def _part(value: Any) -> int:
    """Return a part of a vCPU's time, which may be negative; 0 if it is unknown."""
    if type(value) is int and value < 0:
        return -count(-value)
    return 0 if value is None else count(value)
