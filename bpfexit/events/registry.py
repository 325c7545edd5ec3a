"""All tracepoint views: every module of `bpfexit.events` that defines a `VIEW`."""

from bpfexit import events
from bpfexit.discover import defined
from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.view import View

VIEWS: tuple[View, ...] = tuple(
    sorted(defined(events, "VIEW", View), key=lambda view: int(view.kind))
)
"""By the number of their kind."""

KINDS: dict[int, Kind] = {int(kind): kind for kind in (NO_KIND, *(view.kind for view in VIEWS))}
"""Every kind by its number, `NO_KIND` included."""

KIND_OF_NAME: dict[str | None, Kind] = {
    None if kind == NO_KIND else kind.name: kind for kind in KINDS.values()
}
"""Every kind by its name in JSON; null is `NO_KIND`."""
