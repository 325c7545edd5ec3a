"""The exporter is small: no compiler is in its process, and a thousand rows take little."""

import re
from pathlib import Path

import pytest

from tests.bench.memory import walked
from tests.integration.exporting import exporter, scraped, total
from tests.integration.test_privileges import exporters
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

ROWS = 1000
MOST = 60e6
"""Bytes."""


def test_it_takes_at_most_60_mb_and_has_no_compiler() -> None:
    with exporter():  # which fills the cache
        pass
    with walked(ROWS) as (pid, walk), exporter("-p", str(pid), "-i", "1") as url:
        walk()
        eventually(lambda: total(scraped(url), "bpfexit_access_total") >= ROWS)
        resident = total(scraped(url), "process_resident_memory_bytes")
        (process,) = exporters(url)
        libraries = Path(f"/proc/{process}/maps").read_text()
    print(f"{resident / 1e6:.0f} MB")
    assert resident <= MOST
    assert not re.search(r"libbcc|libclang|libLLVM", libraries)
