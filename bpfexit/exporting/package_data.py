"""Files that go with the metrics: rules for Prometheus, a dashboard for Grafana, a systemd unit."""

from importlib.resources import files

_FILES = {
    "rules": "bpfexit.rules.yml",
    "dashboard": "dashboard.json",
    "unit": "bpfexit-export.service",
}


def package_data(name: str) -> str:
    """Return the text of `rules`, `dashboard` or `unit`."""
    return (files("bpfexit") / "exporting" / "data" / _FILES[name]).read_text()
