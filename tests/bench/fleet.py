"""What it takes Prometheus to scrape many hosts, and to answer the queries of the dashboard."""

import gzip
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.bench.exporter_pages import pages, series_of
from tests.bench.prometheus import Hosts, Server, scraping, without_rules
from tests.bench.report import Report
from tests.dashboard import Query, queries

CASES = (Hosts(1000, 5, 12), Hosts(50, 54, 12))
"""1,000 series of each host, and 10,000."""
FULL_CHUNKS = Hosts(10, 5, 150, every_s=1)
"""Samples enough for whole chunks, which have 120."""

SETTLED_S, MEASURED_S = 120, 180
"""Until all series are there, and until a measured part ends."""
QUERIED_S = 240
"""Since the rules are evaluated."""
DOWN_S = 90
"""Until Prometheus has noted that no host is up any more."""
_TIMES = 2
_RATE_INTERVAL = "4m"
"""Grafana's, for scrapes each minute."""


@dataclass(frozen=True)
class Measured:
    """A case. `queries` has the seconds of each: all hosts, with rules and raw, then one host."""

    hosts: Hosts
    series: int
    recorded: int
    rss_mib: float
    peak_mib: float
    raw_peak_mib: float
    scraping_s: float
    with_rules_s: float
    queries: dict[Query, tuple[float, float, float, float]]


def report() -> Report:
    """Return memory and CPU time of Prometheus by hosts and series."""
    return Report(
        "Prometheus: memory, and CPU time of scrapes and of rules",
        (
            *("hosts", "series per host", "series", "of rules", "RSS, MiB", "KiB per series"),
            *("MiB per host", "CPU, ms per scrape", "µs per sample", "rules, s", "µs per series"),
        ),
        [_cost_row(_measured(hosts)) for hosts in CASES],
        (
            f"bytes per sample on disk: {_full_chunks():.2f}, "
            f"with {FULL_CHUNKS.scrapes} samples per series",
            f"a scrape: {', '.join(_page_size(hosts.guests) for hosts in CASES)}",
            "series: scraped, without those that rules record, which are `of rules`",
            "RSS with rules, before any query; rules: one evaluation of all",
            f"`prometheus` of Debian, a scrape each {CASES[0].every_s} s",
        ),
    )


def query_report() -> Report:
    """Return the time of each query of the dashboard."""
    names = [f"{hosts.number} {which}" for hosts in CASES for which in ("all", "raw", "one", "raw")]
    found = [_measured(hosts).queries for hosts in CASES]
    peaks = ", ".join(
        f"{each.hosts.number} hosts: {each.peak_mib:,.0f} and {each.raw_peak_mib:,.0f} MiB"
        for each in map(_measured, CASES)
    )
    return Report(
        "Queries of the dashboard: CPU time of Prometheus, ms, with recording rules and raw",
        ("panel", *names),
        [
            (query.panel, *(f"{1000 * s:,.0f}" for each in found for s in each[query]))
            for query in found[0]
        ],
        (
            f"over {QUERIED_S} s, a step of 60 s; of all hosts and guests, or of all of one host; "
            f"the best of {_TIMES}; raw: computed from what is scraped, without the rules",
            f"most resident memory after these with rules, and after raw ones: {peaks}",
        ),
    )


def _cost_row(of: Measured) -> tuple[str, ...]:
    rounds = MEASURED_S / of.hosts.every_s
    rules_s = (of.with_rules_s - of.scraping_s) / rounds
    return (
        *(f"{of.hosts.number:,}", f"{of.series / of.hosts.number:,.0f}", f"{of.series:,}"),
        *(f"{of.recorded:,}", f"{of.rss_mib:,.0f}", f"{of.rss_mib * 1024 / of.series:.1f}"),
        *(f"{of.rss_mib / of.hosts.number:.1f}",),
        f"{of.scraping_s / rounds / of.hosts.number * 1000:.1f}",
        f"{of.scraping_s / rounds / of.series * 1e6:.1f}",
        *(f"{rules_s:.1f}", f"{rules_s / of.series * 1e6:.1f}"),
    )


@cache
def _measured(hosts: Hosts) -> Measured:
    """Scrape for some minutes, then with rules, then query."""
    with scraping(hosts) as (server, end_hosts):
        time.sleep(SETTLED_S)
        scraping_s = _cpu_s(server)
        series, in_memory = int(server.number("sum(scrape_samples_scraped)")), server.series()
        server.evaluate_rules()
        time.sleep(QUERIED_S - MEASURED_S)
        with_rules_s = _cpu_s(server)
        rss_mib, of_rules = server.memory_mib(), server.series() - in_memory
        ended = time.time()
        end_hosts()
        time.sleep(DOWN_S)
        with_rules = _times_of_all(server, hosts, ended, {})
        peak_mib = server.memory_mib("VmHWM")
        raw = _times_of_all(server, hosts, ended, server.recorded())
        return Measured(
            hosts,
            series,
            of_rules,
            rss_mib,
            peak_mib,
            server.memory_mib("VmHWM"),
            scraping_s,
            with_rules_s,
            {
                query: (with_rules[query][0], raw[query][0], with_rules[query][1], raw[query][1])
                for query in queries()
            },
        )


def _cpu_s(server: Server) -> float:
    """Return the CPU time that it takes in `MEASURED_S` from now on."""
    before = server.cpu_s()
    time.sleep(MEASURED_S)
    return server.cpu_s() - before


def _times_of_all(
    server: Server, hosts: Hosts, end: float, recorded: dict[str, str]
) -> dict[Query, tuple[float, float]]:
    """Return the seconds of each query for all hosts, and for one.

    Of series of which `recorded` has the expression, that is computed.
    """
    one = f"{next(hosts.addresses())}:.*"
    return {
        query: (
            _time(server, without_rules(query.of(".*", _RATE_INTERVAL), recorded), end),
            _time(server, without_rules(query.of(one, _RATE_INTERVAL), recorded), end),
        )
        for query in queries()
    }


def _time(server: Server, expression: str, end: float) -> float:
    def once() -> float:
        begun = server.cpu_s()
        server.query(expression, end - QUERIED_S, end)
        return server.cpu_s() - begun

    return min(once() for _ in range(_TIMES))


@cache
def _full_chunks() -> float:
    """Return the bytes per sample of a block."""
    with scraping(FULL_CHUNKS) as (server, _):
        time.sleep(FULL_CHUNKS.scrapes * FULL_CHUNKS.every_s)
        return bytes_per_sample(server.snapshot())


def bytes_per_sample(block: Path) -> float:
    """Return how many bytes of a block there are for each of its samples."""
    samples = int(json.loads((block / "meta.json").read_text())["stats"]["numSamples"])
    return sum(path.stat().st_size for path in block.rglob("*") if path.is_file()) / samples


def _page_size(guests: int) -> str:
    *_, page = pages(guests, 3)
    wire = len(gzip.compress(page))
    return f"{series_of(page):,} series {len(page) / 1e3:,.0f} kB, {wire / 1e3:.0f} kB compressed"
