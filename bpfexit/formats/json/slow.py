"""Single slow exits as JSON: in the snapshot of their interval, and as one line each.

Unknown values are null: `reason`, `rip` and `ns` on a back end without `kvm_exit`.
"""

import json
from collections.abc import Iterable
from typing import Any

from bpfexit.events.access import Access
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.values import (
    MAX_ADDRESS,
    count,
    seconds,
    short_text,
    thread,
    whole,
)
from bpfexit.formats.names import named
from bpfexit.model.address_names import AddressName
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.slow import Slow, SlowExit

SCHEMA = "bpfexit.slow/2"

_ACCESSES = {each: None if each is Access.NONE else each.name.lower() for each in Access}
_ACCESS_OF = {name: access for access, name in _ACCESSES.items()}
_MAX_SIZE = 2**8 - 1


def encode_line(each: SlowExit, name: AddressName | None = None) -> str:
    """Return one exit as a line, without its newline; `name` is that of its address."""
    return json.dumps({"schema": SCHEMA, **_exit(each), **named(name)}, separators=(",", ":"))


def document(slow: Slow) -> dict[str, Any]:
    """Return the value of `slow` in a snapshot."""
    return {
        "than_ns": slow.than_ns,
        "rate_limited": slow.limited,
        "dropped": slow.dropped,
        "exits": [_exit(each) for each in slow.exits],
    }


def decoded(document: dict[str, Any] | None, exits: Iterable[SlowExit] = ()) -> Slow | None:
    """Read it back, without its exits. Raises `ValueError`, `KeyError` or `TypeError`."""
    if document is None:
        return None
    return Slow(
        than_ns=count(document["than_ns"]),
        exits=tuple(exits),
        limited=count(document["rate_limited"]),
        dropped=count(document["dropped"]),
    )


def _exit(each: SlowExit) -> dict[str, Any]:
    return {
        "end": each.end,
        "vm": each.vm,
        "pid": each.pid,
        "tid": each.tid,
        "vcpu": None if each.vcpu == NO_VCPU else each.vcpu,
        "reason": each.reason,
        "kind": each.kind.json_name,
        "access": _ACCESSES[each.access],
        "size": each.size or None,
        "address": each.address,
        "rip": each.rip,
        "ns": each.ns,
        "user_ns": each.user_ns,
    }


def decoded_exit(each: dict[str, Any]) -> SlowExit:
    """Read one exit back. Raises `ValueError`, `KeyError` or `TypeError`."""
    pid, tid, vcpu = thread(each)
    size, reason = each["size"], each["reason"]
    return SlowExit(
        end=seconds(each["end"]),
        vm=short_text(each["vm"]),
        pid=pid,
        tid=tid,
        vcpu=vcpu,
        reason=None if reason is None else short_text(reason),
        kind=KIND_OF_NAME[each["kind"]],
        access=_ACCESS_OF[each["access"]],
        size=0 if size is None else whole(size, _MAX_SIZE),
        address=_address(each["address"]),
        rip=_address(each["rip"]),
        ns=None if each["ns"] is None else count(each["ns"]),
        user_ns=count(each["user_ns"]),
    )


def _address(value: Any) -> int | None:
    return None if value is None else whole(value, MAX_ADDRESS)
