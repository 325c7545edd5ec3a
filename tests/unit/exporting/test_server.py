"""Scrapes over HTTP: consistent, and no client can hold up another."""

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bpfexit.errors import BpfexitError
from bpfexit.exporting import server
from bpfexit.exporting.address import Address
from bpfexit.exporting.collector import registry_of
from bpfexit.exporting.family import Family
from bpfexit.exporting.metrics import EXITS, LOST, READINGS
from bpfexit.exporting.server import MOST_CLIENTS, Listener

_scrape = count(1)
HOSTILE = 'a\\b"\n{}\x1b'


def families() -> tuple[Family, ...]:
    """Return a state in which two families agree, another one at each scrape."""
    number = next(_scrape)
    return Family(READINGS, (((), number),)), Family(EXITS, (((HOSTILE, "CPUID"), number),))


@pytest.fixture
def address() -> Iterator[Address]:
    with (
        closing(Listener(Address("127.0.0.1", 0))) as listener,
        listener.serving(registry_of(families)),
    ):
        yield listener.address


def scraped(address: Address, query: str = "") -> dict[str, Sample]:
    with urlopen(f"http://{address}/metrics{query}", timeout=30) as answer:
        text = answer.read().decode()
    metrics = text_string_to_metric_families(text)
    return {sample.name: sample for metric in metrics for sample in metric.samples}


def test_a_scrape_has_the_families_and_those_of_the_process(address: Address) -> None:
    found = scraped(address)
    assert found["bpfexit_exits_total"].labels["guest"] == HOSTILE
    assert "process_resident_memory_bytes" in found


def test_scrapes_at_once_are_each_consistent(address: Address) -> None:
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(scraped, [address] * 24):
            exits = found["bpfexit_exits_total"].value
            assert exits == found["bpfexit_readings_total"].value


def test_a_query_chooses_families(address: Address) -> None:
    assert set(scraped(address, "?name[]=bpfexit_readings_total")) == {"bpfexit_readings_total"}


def test_an_answer_is_compressed_for_who_accepts_that(address: Address) -> None:
    request = Request(f"http://{address}/metrics", headers={"Accept-Encoding": "gzip"})
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        assert b"bpfexit_exits_total" in gzip.decompress(answer.read())


def test_clients_that_stall_hold_up_nobody_and_the_first_gives_way(address: Address) -> None:
    stalled = [socket.create_connection(address) for _ in range(MOST_CLIENTS)]
    for each in stalled:
        each.sendall(b"GET /metrics")
    assert scraped(address)
    assert stalled[0].recv(1) == b""
    for each in stalled:
        each.close()


def test_a_client_that_does_not_read_holds_up_nobody(address: Address) -> None:
    with socket.create_connection(address) as dead:
        dead.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert scraped(address)


def test_a_client_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.05)
    with (
        closing(Listener(Address("127.0.0.1", 0))) as listener,
        listener.serving(registry_of(families)),
        socket.create_connection(listener.address) as stalled,
    ):
        assert stalled.recv(1) == b""


def test_an_address_in_use_is_one_sentence(address: Address) -> None:
    with pytest.raises(BpfexitError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already"):
        Listener(address)


def test_ipv6() -> None:
    with closing(Listener(Address("::1", 0))) as listener:
        assert str(listener.address).startswith("[::1]:")


def test_nothing_is_scraped_of_families_without_series() -> None:
    registry = registry_of(lambda: (Family(LOST, ()),))
    assert "bpfexit_lost_events" in {metric.name for metric in registry.collect()}
