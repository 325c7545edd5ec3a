"""`bpfexit.snapshot/2`: one snapshot, one line of JSON; as `top -j` writes and reads it.

`ended_pids` are the processes of guests that have ended, in that interval or before.
Unknown numbers are null: `reason` if the back end has none, `total_ns` and `max_ns` of a
row without latencies, `wait_ns` of such a row, `guest_ns` on a back end without `kvm_entry`,
and `programs` of `cost` in an interval in which it was not measured. Without `has_waiting`,
`wait_ns` and `user_wait_ns` are null. The parts of a vCPU's time add up to its time in the
interval; they are null, but for `guest_ns`, in what older versions recorded and with `--reason`.
`usage` is what the guests took of the host.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json import row_text
from bpfexit.formats.json import slow as slow_json
from bpfexit.formats.json import usage as usage_json
from bpfexit.formats.json.vcpu_text import owner_of, vcpus_text
from bpfexit.model.grouping import Naming
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.usage import HostUsage

SCHEMA = "bpfexit.snapshot/2"


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
    }
    optional: dict[str, Any] = {}
    if snapshot.only:
        optional["only_reasons"] = snapshot.only
    if snapshot.usage != HostUsage():
        optional["usage"] = usage_json.document(snapshot.usage)
    if snapshot.slow:
        optional["slow"] = slow_json.document(snapshot.slow)
    owner = owner_of(snapshot)
    yield _json(document).removesuffix("}") + ',"vcpus":['
    yield vcpus_text(snapshot, owner) + "]"
    if optional:
        yield "," + _json(optional)[1:-1]
    yield ',"rows":['
    yield from row_text.pieces(snapshot, owner, naming)
    yield "]}"


def _ended_pids(snapshot: Snapshot) -> list[int]:
    """Return the processes that have ended, except if another guest has their PID by now."""
    living = {guest.pid for guest in snapshot.guests if not guest.ended}
    return sorted({pid for pid, _ in snapshot.ended} - living)


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _cost(cost: OwnCost) -> dict[str, Any] | None:
    return None if cost == OwnCost() else asdict(cost)
