"""The origin of a snapshot as fields of JSON documents."""

from typing import Any

from bpfexit.model.host_facts import HostFacts
from bpfexit.model.snapshot import Origin


def document(origin: Origin) -> dict[str, Any]:
    """Return its fields without the host's facts, which only a recording's header has."""
    return {
        "host": origin.host,
        "kernel": origin.kernel,
        "backend": origin.backend,
        "has_exit_events": origin.has_exit_events,
    }


def decoded(document: dict[str, Any], facts: HostFacts | None = None) -> Origin:
    """Read it back; missing fields are unknown."""
    return Origin(
        str(document.get("host", "")),
        str(document.get("kernel", "")),
        str(document.get("backend", "")),
        bool(document.get("has_exit_events", True)),
        facts or HostFacts(),
    )
