"""`bpfexit.guest/2`: the facts about a guest, a line of a recording.

It precedes the first interval in which the guest is seen, and is repeated when a fact changes.
Regions are `[kind, first, last, name]`.
"""

from typing import Any

from bpfexit.events.region import Region
from bpfexit.events.registry import KIND_OF_NAME
from bpfexit.formats.json.text import line_of
from bpfexit.formats.json.values import (
    MAX_ADDRESS,
    MAX_ID,
    Line,
    decode_errors,
    document_of,
    seconds,
    short_text,
    whole,
)
from bpfexit.model.guest import Guest, NameSource

SCHEMA = "bpfexit.guest/2"


def encode(guest: Guest) -> str:
    """Return the line, without its newline."""
    document = {
        "schema": SCHEMA,
        "pid": guest.pid,
        "name": guest.name,
        "named_by": guest.named_by,
        "vmm": guest.vmm,
        "options": guest.options,
        "mapped_by": guest.mapped_by,
        "ended": guest.ended,
        "manager": guest.manager,
        "cpu_quota": guest.cpu_quota,
        "regions": [
            (region.kind.name, region.first, region.last, region.name) for region in guest.regions
        ],
    }
    return line_of(document)


def decode(line: Line) -> Guest | None:
    """Read a line back; None for a line of another schema. Raises `BpfexitError`."""
    with decode_errors():
        document = document_of(line, SCHEMA)
        return None if document is None else _guest(document)


def _guest(document: dict[str, Any]) -> Guest:
    source = document["mapped_by"]
    return Guest(
        pid=whole(document["pid"], MAX_ID),
        name=short_text(document["name"]),
        named_by=str(document["named_by"]),
        vmm=str(document["vmm"]),
        options=tuple((str(option), str(value)) for option, value in document["options"]),
        regions=tuple(sorted(map(_region, document["regions"]), key=_place)),
        mapped_by=None if source is None else NameSource(source),
        ended=bool(document["ended"]),
        manager=str(document.get("manager", "")),
        cpu_quota=_quota(document.get("cpu_quota")),
    )


def _quota(value: Any) -> float | None:
    return None if value is None else seconds(value)


def _region(entry: Any) -> Region:
    kind, first, last, name = entry
    end = whole(last, MAX_ADDRESS)
    return Region(KIND_OF_NAME[kind], whole(first, end), end, short_text(name))


def _place(region: Region) -> tuple[int, int]:
    return region.kind, region.first
