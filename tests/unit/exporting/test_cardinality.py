"""The number of series is bounded, whatever the guests do."""

from prometheus_client import generate_latest

from bpfexit.exporting.collector import registry_of
from bpfexit.exporting.detail import Detail
from tests.unit.exporting.crowd import crowd
from tests.unit.exporting.exposed import accumulator


def lines(detail: Detail | None = None, ports: int = 40) -> int:
    """Return the lines of a scrape of 50 guests."""
    known = accumulator(detail)
    for now in range(2):
        known.add(crowd(ports=ports), float(now))
    text = generate_latest(registry_of(known.families)).decode()
    return sum(not line.startswith("#") for line in text.splitlines())


def test_fifty_guests_of_ten_reasons_stay_under_ten_thousand() -> None:
    assert lines() < 10_000


def test_more_addresses_make_no_more_series() -> None:
    assert lines(ports=200) == lines()


def test_more_detail_is_bounded_by_what_is_asked_for() -> None:
    more = lines(Detail(addresses=50), ports=200) - lines(ports=200)
    assert more == 50 * (50 - 32)
