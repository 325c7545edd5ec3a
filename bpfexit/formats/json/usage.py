"""The field `usage` of a snapshot: what guests take of the host. It is not trusted when read."""

from collections.abc import Iterable
from typing import Any

from bpfexit.formats.json.schema_fields import NULL_WHOLE
from bpfexit.formats.json.schema_terms import NUMBER, TEXT, WHOLE, array, null_or, obj, one_of
from bpfexit.formats.json.values import MAX_ID, count, count_or_none, seconds, short_text, whole
from bpfexit.model.usage import Allowed, GuestUsage, HostUsage, Quota, Role, ThreadTimes

_TIMES = {"role": one_of([*Role]), "threads": WHOLE, "cpu_ns": NULL_WHOLE, "wait_ns": NULL_WHOLE}
_QUOTA = {"cgroup": TEXT, "cpus": NUMBER, "vcpus": WHOLE, "throttled_ns": NULL_WHOLE}
GUEST_SCHEMA = obj(
    {
        "vm": TEXT,
        "pid": WHOLE,
        "seconds": NUMBER,
        "threads": array(obj(_TIMES)),
        "resident_bytes": NULL_WHOLE,
        "swapped_bytes": NULL_WHOLE,
        "major_faults": NULL_WHOLE,
        "nodes": array(obj({"node": WHOLE, "bytes": WHOLE})),
        "quotas": null_or(array(obj(_QUOTA))),
        "allowed": array(obj({"cpus": TEXT, "vcpus": WHOLE})),
    }
)
SCHEMA = obj({"swapped_in_pages": NULL_WHOLE, "guests": array(GUEST_SCHEMA)})


def document(usage: HostUsage) -> dict[str, Any]:
    """Return the field."""
    return {
        "swapped_in_pages": usage.swapped_in,
        "guests": [guest_document(guest) for guest in usage.guests],
    }


def guest_document(guest: GuestUsage) -> dict[str, Any]:
    """Return an entry of the field's guests."""
    quotas = None if guest.quotas is None else [vars(quota) for quota in guest.quotas]
    return {
        **vars(guest),
        "threads": [vars(times) for times in guest.threads],
        "nodes": [{"node": node, "bytes": size} for node, size in guest.nodes],
        "quotas": quotas,
        "allowed": [vars(allowed) for allowed in guest.allowed],
    }


def decoded(value: Any, guests: Iterable[GuestUsage]) -> HostUsage:
    """Read the field back, whose guests these are; without it, nothing is known."""
    if value is None:
        return HostUsage()
    return HostUsage(tuple(guests), count_or_none(value["swapped_in_pages"]))


def decoded_guest(value: dict[str, Any]) -> GuestUsage:
    """Read a guest back. Raises as JSON does."""
    quotas = value["quotas"]
    return GuestUsage(
        vm=short_text(value["vm"]),
        pid=whole(value["pid"], MAX_ID),
        seconds=seconds(value["seconds"]),
        threads=tuple(map(_times, value["threads"])),
        resident_bytes=count_or_none(value["resident_bytes"]),
        swapped_bytes=count_or_none(value["swapped_bytes"]),
        major_faults=count_or_none(value["major_faults"]),
        nodes=tuple((count(each["node"]), count(each["bytes"])) for each in value["nodes"]),
        quotas=None if quotas is None else tuple(map(_quota, quotas)),
        allowed=tuple(map(_allowed, value["allowed"])),
    )


def _times(value: dict[str, Any]) -> ThreadTimes:
    return ThreadTimes(
        Role(value["role"]),
        whole(value["threads"], MAX_ID),
        count_or_none(value["cpu_ns"]),
        count_or_none(value["wait_ns"]),
    )


def _quota(value: dict[str, Any]) -> Quota:
    return Quota(
        short_text(value["cgroup"]),
        seconds(value["cpus"]),
        whole(value["vcpus"], MAX_ID),
        count_or_none(value["throttled_ns"]),
    )


def _allowed(value: dict[str, Any]) -> Allowed:
    return Allowed(short_text(value["cpus"]), whole(value["vcpus"], MAX_ID))
