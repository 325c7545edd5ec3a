"""The origin of a snapshot as fields of JSON documents."""

from typing import Any

from bpfexit.formats.json.values import short_text
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin


def document(origin: Origin) -> dict[str, Any]:
    """Return its fields without the host's facts, which only a recording's header has."""
    return {
        "host": origin.host,
        "kernel": origin.kernel,
        "backend": origin.backend,
        "has_exit_events": origin.has_exit_events,
        "has_waiting": origin.has_waiting,
        "has_blocked": origin.has_blocked,
        "views": list(origin.views),
    }


def decoded(document: dict[str, Any], facts: HostFacts | None = None) -> Origin:
    """Read it back; missing fields are unknown."""
    return Origin(
        str(document.get("host", "")),
        str(document.get("kernel", "")),
        str(document.get("backend", "")),
        bool(document.get("has_exit_events", True)),
        facts or HostFacts(),
        bool(document.get("has_waiting", False)),
        bool(document.get("has_blocked", False)),
        tuple(map(short_text, document.get("views", ()))),
    )
