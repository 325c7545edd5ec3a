"""The panels of the dashboard, those of collapsed rows included, and their queries."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from bpfexit.exporting.package_data import package_data


class Query(NamedTuple):
    """A query of a panel."""

    panel: str
    expression: str

    def of(self, instance: str, rate_interval: str) -> str:
        """Return it for the hosts, and all of their guests, that match."""
        chosen = self.expression.replace("$instance", instance).replace("$guest", ".*")
        return chosen.replace("$__rate_interval", rate_interval)


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    found = json.loads(package_data("dashboard"))
    assert isinstance(found, dict)
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Yield all panels, from top to bottom."""
    for panel in dashboard()["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries() -> list[Query]:
    """Return the queries of all panels."""
    return [
        Query(panel["title"], target["expr"])
        for panel in panels()
        for target in panel.get("targets", ())
    ]
