"""Queries without recording rules are the same queries, and hosts differ in their labels alone."""

import json
from pathlib import Path

from tests.bench.exporter_pages import pages, series_of
from tests.bench.fleet import bytes_per_sample
from tests.bench.prometheus import Hosts, without_rules
from tests.dashboard import queries

RECORDED = {
    "guest:bpfexit_exits:rate5m": "sum without (reason) (rate(bpfexit_exits_total[5m]))",
    "host:bpfexit_exits:rate5m": "sum without (guest) (guest:bpfexit_exits:rate5m)",
    "guest:bpfexit_wait:ratio": 'a:bpfexit_vcpu:rate5m{state="waiting"} / 2',
    "a:bpfexit_vcpu:rate5m": "rate(bpfexit_vcpu_seconds_total[5m])",
}


def test_a_recorded_series_is_computed_whatever_it_is_recorded_from() -> None:
    assert without_rules("topk(10, host:bpfexit_exits:rate5m)", RECORDED) == (
        "topk(10, (sum without (guest) ((sum without (reason) (rate(bpfexit_exits_total[5m]))))))"
    )


def test_its_matchers_choose_from_what_it_is_computed_from() -> None:
    one = 'guest:bpfexit_wait:ratio{instance="a"}'
    assert without_rules(one, RECORDED) == (
        '((rate(bpfexit_vcpu_seconds_total{state="waiting",instance="a"}[5m])) / 2)'
    )


def test_what_is_scraped_stays() -> None:
    assert without_rules("rate(bpfexit_exits_total[5m])", RECORDED) == (
        "rate(bpfexit_exits_total[5m])"
    )


def test_no_query_of_the_dashboard_keeps_a_variable() -> None:
    assert [each for each in queries() if "$" in each.of("a:1", "4m")] == []


def test_pages_of_later_minutes_have_no_fewer_series() -> None:
    first, second, third = pages(2, 3)
    assert first != second != third
    assert series_of(first) <= series_of(second) <= series_of(third)


def test_each_host_has_an_address() -> None:
    addresses = list(Hosts(1000, 5, 1).addresses())
    assert (len(set(addresses)), addresses[0], addresses[-1]) == (1000, "127.1.0.0", "127.1.3.231")


def test_bytes_per_sample_are_of_all_files_of_a_block(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks/000001").write_bytes(bytes(900))
    about = json.dumps({"stats": {"numSamples": 1000}})
    (tmp_path / "meta.json").write_text(about)
    assert bytes_per_sample(tmp_path) == (900 + len(about)) / 1000
