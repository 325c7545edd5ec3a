"""`bpfexit.recording/1`: the line a recording begins with; `bpfexit.snapshot/1` lines follow."""

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bpfexit.errors import BpfexitError
from bpfexit.model.snapshot import Origin

SCHEMA = "bpfexit.recording/1"
_MARK = f'"{SCHEMA}"'


@dataclass(frozen=True)
class Guest:
    """A guest that ran when the recording began."""

    vm: str
    pid: int


@dataclass(frozen=True)
class Header:
    """What is true for all of a recording, up to the next header."""

    version: str  # of the bpfexit that wrote it
    origin: Origin
    interval_s: float
    start: float  # unix time, s
    guests: tuple[Guest, ...] = ()


def encode(header: Header) -> str:
    """Return the line, without its newline."""
    origin = header.origin
    document = {
        "schema": SCHEMA,
        "version": header.version,
        "host": origin.host,
        "kernel": origin.kernel,
        "backend": origin.backend,
        "emits_exits": origin.emits_exits,
        "interval_s": header.interval_s,
        "start": header.start,
        "guests": [{"vm": guest.vm, "pid": guest.pid} for guest in header.guests],
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def decode(line: str) -> Header | None:
    """Read a header back; None for a line that is something else. Raises `BpfexitError`."""
    if _MARK not in line:  # a guest's name in a snapshot may hold it, too: see below
        return None
    try:
        document = json.loads(line)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return None
        return _header(document)
    except RecursionError:
        raise BpfexitError("it is nested too deeply") from None
    except (ValueError, TypeError, OverflowError, KeyError):
        raise BpfexitError("it is no whole header of a recording") from None


def _header(document: dict[str, Any]) -> Header:
    return Header(
        version=str(document.get("version", "")),
        origin=Origin(
            str(document.get("host", "")),
            str(document.get("kernel", "")),
            str(document.get("backend", "")),
            bool(document.get("emits_exits", True)),
        ),
        interval_s=_seconds(document["interval_s"]),
        start=_seconds(document["start"]),
        guests=tuple(Guest(str(each["vm"]), int(each["pid"])) for each in document["guests"]),
    )


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not (isfinite(seconds) and 0 <= seconds < 1e12):
        raise ValueError(f"{value} is no time")
    return seconds
