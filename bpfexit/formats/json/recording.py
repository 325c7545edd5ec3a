"""`bpfexit.recording/2`: the line a recording begins with.

`bpfexit.guest/2` and `bpfexit.snapshot/2` lines follow.
"""

from dataclasses import asdict, dataclass
from typing import Any

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json.text import line_of
from bpfexit.formats.json.values import (
    MAX_ID,
    Line,
    count_or_none,
    document_of,
    seconds,
    short_text,
    whole,
)
from bpfexit.model.guest import Guest
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin

SCHEMA = "bpfexit.recording/2"


@dataclass(frozen=True)
class Header:
    """What holds for a recording, up to the next header."""

    version: str  # of the bpfexit that wrote it
    origin: Origin
    interval_s: float
    start: float  # unix time, s
    guests: tuple[Guest, ...] = ()  # running when the recording began


def encode(header: Header) -> str:
    """Return the line, without its newline."""
    document = {
        "schema": SCHEMA,
        "version": header.version,
        **origin_json.document(header.origin),
        "interval_s": header.interval_s,
        "start": header.start,
        "facts": asdict(header.origin.facts),
        "guests": [{"vm": guest.name, "pid": guest.pid} for guest in header.guests],
    }
    return line_of(document)


def decode(line: Line) -> Header | None:
    """Read a header back; None for a line of another schema. Raises `BpfexitError`."""
    try:
        document = document_of(line, SCHEMA)
        return None if document is None else _header(document)
    except RecursionError:
        raise BpfexitError("it is nested too deeply") from None
    except (ValueError, TypeError, OverflowError, KeyError, AttributeError):
        raise BpfexitError("it is not a complete header of a recording") from None


def _header(document: dict[str, Any]) -> Header:
    return Header(
        version=str(document.get("version", "")),
        origin=origin_json.decoded(document, _facts(document.get("facts", {}))),
        interval_s=seconds(document["interval_s"]),
        start=seconds(document["start"]),
        guests=tuple(
            Guest(whole(guest["pid"], MAX_ID), short_text(guest["vm"]))
            for guest in document["guests"]
        ),
    )


def _facts(document: dict[str, Any]) -> HostFacts:
    """Return the host's facts; those that an older recording lacks are unknown."""
    flags = document.get("flags")
    return HostFacts(
        cpu=str(document.get("cpu", "")),
        cpus=whole(document.get("cpus", 0), MAX_ID),
        clocksource=str(document.get("clocksource", "")),
        hugepages=str(document.get("hugepages", "")),
        parameters=_texts(document.get("parameters", {})),
        settings=_texts(document.get("settings", {})),
        flags=None if flags is None else tuple(str(flag) for flag in flags),
        swap_bytes=count_or_none(document.get("swap_bytes")),
        swap_used_bytes=count_or_none(document.get("swap_used_bytes")),
    )


def _texts(document: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in document.items()}
