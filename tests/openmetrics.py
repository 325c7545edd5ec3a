"""Reading OpenMetrics with the parser of prometheus_client, which is typed in part only."""

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def only_family(text: str) -> Metric:
    """Return the one family of a valid exposition."""
    found: list[Metric] = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    (family,) = found
    return family
