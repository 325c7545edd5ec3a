"""Single slow exits as JSON: in the snapshot of their interval, and as one line each.

Unknown values are null: `reason`, `rip` and `ns` on a back end without `kvm_exit`, and what is not
measured of `PARTS`.
"""

from collections.abc import Iterable
from typing import Any

from bpfexit.events.access import Access
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.text import line_of
from bpfexit.formats.json.values import (
    MAX_ADDRESS,
    count,
    count_or_none,
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

PARTS = ("wait_ns", "user_wait_ns", "blocked_ns", "user_blocked_ns")
"""Fields that older recordings lack."""

_ACCESSES = {access: None if access is Access.NONE else access.name.lower() for access in Access}
_ACCESS_OF = {name: access for access, name in _ACCESSES.items()}
_MAX_SIZE = 2**8 - 1


def encode_line(slow_exit: SlowExit, name: AddressName | None = None) -> str:
    """Return one exit as a line, without its newline; `name` is that of its address."""
    return line_of({"schema": SCHEMA, **_exit(slow_exit), **named(name)})


def document(slow: Slow) -> dict[str, Any]:
    """Return the value of `slow` in a snapshot."""
    return {
        "than_ns": slow.than_ns,
        "rate_limited": slow.limited,
        "dropped": slow.dropped,
        "exits": [_exit(slow_exit) for slow_exit in slow.exits],
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


def _exit(slow_exit: SlowExit) -> dict[str, Any]:
    return {
        "end": slow_exit.end,
        "vm": slow_exit.vm,
        "pid": slow_exit.pid,
        "tid": slow_exit.tid,
        "vcpu": None if slow_exit.vcpu == NO_VCPU else slow_exit.vcpu,
        "reason": slow_exit.reason,
        "kind": slow_exit.kind.json_name,
        "access": _ACCESSES[slow_exit.access],
        "size": slow_exit.size or None,
        "address": slow_exit.address,
        "rip": slow_exit.rip,
        "ns": slow_exit.ns,
        "user_ns": slow_exit.user_ns,
        **{name: getattr(slow_exit, name) for name in PARTS},
    }


def decoded_exit(entry: dict[str, Any]) -> SlowExit:
    """Read one exit back. Raises `ValueError`, `KeyError` or `TypeError`."""
    pid, tid, vcpu = thread(entry)
    size, reason = entry["size"], entry["reason"]
    return SlowExit(
        end=seconds(entry["end"]),
        vm=short_text(entry["vm"]),
        pid=pid,
        tid=tid,
        vcpu=vcpu,
        reason=None if reason is None else short_text(reason),
        kind=KIND_OF_NAME[entry["kind"]],
        access=_ACCESS_OF[entry["access"]],
        size=0 if size is None else whole(size, _MAX_SIZE),
        address=_address(entry["address"]),
        rip=_address(entry["rip"]),
        ns=count_or_none(entry["ns"]),
        user_ns=count(entry["user_ns"]),
        **{name: count_or_none(entry.get(name)) for name in PARTS},
    )


def _address(value: Any) -> int | None:
    return None if value is None else whole(value, MAX_ADDRESS)
