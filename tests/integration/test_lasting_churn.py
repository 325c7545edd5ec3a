"""Ten minutes in which guests come and go and nobody scrapes: no access is lost or counted twice.

The counters in the kernel pass 2^32 meanwhile, and slots and rows of ended guests are used again.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from math import isqrt
from pathlib import Path
from typing import Any

import pytest

from bpfexit.events.registry import KINDS
from bpfexit.model.losses import NOT_COUNTED
from bpfexit.testguest.mix import Step
from bpfexit.tracer.slots import vcpu_slots
from tests.integration.exporting import exporter, scraped, total
from tests.integration.prometheus_server import Prometheus, scraping
from tests.integration.test_export import guest
from tests.lasting_churn import MIX, name, place_of
from tests.waiting import eventually

pytestmark = [pytest.mark.fleet, pytest.mark.usefixtures("needs_bpf", "needs_kvm")]

MINUTES = 10
NAMES = tuple(f"{tree}-{os.getpid()}" for tree in ("alder", "birch", "cedar"))
LAST = f"last-{os.getpid()}"
"""The guest that makes each number of accesses a prime."""
KINDS_BY_NAME = {kind.name: kind for kind in KINDS.values()}
NEAR_WRAP = (sys.executable, "-m", "tests.near_wrap")
COMPLETE_TO = "bpfexit_last_reading_timestamp_seconds"
INTERVAL_S = 5
"""As by default."""


def churned(seconds: float) -> Iterator[dict[str, Any]]:
    """Run guests of all names at the same time; yield what those of each did."""
    command = [sys.executable, "-m", "tests.lasting_churn", str(seconds), "-name"]
    running = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in NAMES
    ]
    for process in running:
        text, _ = process.communicate()
        assert process.returncode == 0
        yield json.loads(text)


def up_to_primes(done: Counter[str]) -> Counter[str]:
    """Run a guest more, so that each operation has been done a prime number of times."""
    primes = Counter({each: next_prime(number) for each, number in done.items()})
    guest(LAST, ",".join(f"{each}={primes[each] - done[each]}" for each in done))
    return primes


def next_prime(number: int) -> int:
    """Return the smallest prime number above a number."""
    prime = max(2, number + 1)
    while any(prime % divisor == 0 for divisor in range(2, isqrt(prime) + 1)):
        prime += 1
    return prime


def counted(server: Prometheus) -> dict[str, float]:
    """Return the accesses by operation, as instant sums over all guests give them."""
    return {name(step): sum(server.values(_query(step))) for step in MIX}


def _query(step: Step) -> str:
    kind, access, address = place_of(step)
    number = KINDS_BY_NAME[kind or ""].number(address or 0)
    return f"""sum(bpfexit_access_total{{kind="{kind}", access="{access}", address="{number}"}})"""


def test_all_is_exact_after_ten_minutes_without_a_scrape(prometheus: str, tmp_path: Path) -> None:
    with exporter("-i", str(INTERVAL_S), program=NEAR_WRAP) as url:
        done: Counter[str] = Counter()
        guests = 0
        for each in churned(60 * MINUTES):
            done.update(each["accesses"])
            guests += each["guests"]
        primes = up_to_primes(done)
        shown = time.time() + 2 * INTERVAL_S  # in the first reading, what is counted is 0
        with scraping(prometheus, [url], tmp_path, every_s=10) as server:
            eventually(lambda: server.values(COMPLETE_TO)[0] > shown)
            found = counted(server)
            text = scraped(url)
    print(f"{guests} guests, {sum(found.values()):,.0f} accesses")
    assert found == primes
    assert 2 * guests > vcpu_slots(os.cpu_count() or 1)
    assert not any(total(text, "bpfexit_lost_events_total", cause=each) for each in NOT_COUNTED)
