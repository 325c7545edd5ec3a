"""The rules, the dashboard and the unit: about metrics that are there, and printed as they are."""

import re

import pytest
from click.testing import CliRunner

from bpfexit.commands.export import export
from bpfexit.exporting.metrics import METRICS
from bpfexit.exporting.package_data import package_data
from tests.dashboard import dashboard, panels

_SUFFIXES = ("", "_bucket", "_count", "_sum")
NAMES = {metric.name + suffix for metric in METRICS for suffix in _SUFFIXES}
_METRIC = re.compile(r"(?<![:\w])bpfexit_\w+")
_RECORDED = re.compile(r"\w+:bpfexit_\w+:\w+")


@pytest.mark.parametrize("name", ["rules", "dashboard", "unit"])
def test_it_is_printed_and_nothing_is_attached(name: str) -> None:
    done = CliRunner().invoke(export, [f"--print-{name}"])
    assert (done.exit_code, done.output) == (0, package_data(name))


@pytest.mark.parametrize("name", ["rules", "dashboard"])
def test_every_metric_in_it_is_exported(name: str) -> None:
    found = set(_METRIC.findall(package_data(name)))
    assert found
    assert found <= NAMES


def test_every_recorded_series_of_the_dashboard_is_recorded() -> None:
    recorded = set(re.findall(r"record: (\S+)", package_data("rules")))
    found = set(_RECORDED.findall(package_data("dashboard")))
    assert found
    assert found <= recorded


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    every = list(panels())
    assert len({panel["id"] for panel in every}) == len(every)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in every)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_what_reads_the_series_of_each_reason_and_address_is_not_shown_at_once() -> None:
    (row,) = (panel for panel in dashboard()["panels"] if panel.get("collapsed"))
    recorded = re.compile(r"(?<![:\w])bpfexit_(exit|userspace|access|vcpu)")
    hidden = {panel["id"] for panel in row["panels"]}
    for panel in panels():
        reads = any(recorded.search(target["expr"]) for target in panel.get("targets", ()))
        assert reads == (panel["id"] in hidden), panel["title"]
