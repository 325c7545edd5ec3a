"""What a real Prometheus makes of the metrics, the rules and the dashboard."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from bpfexit.exporting.address import Address
from bpfexit.exporting.detail import Detail
from bpfexit.exporting.exporter import Exporter
from bpfexit.exporting.guest_info import guest_info
from bpfexit.exporting.package_data import package_data
from bpfexit.exporting.server import Listener
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot, merged
from tests.counting import CONTROL_PORT, Place, count
from tests.dashboard import queries
from tests.integration.exporting import exporter
from tests.integration.prometheus_server import Prometheus, scraping
from tests.integration.test_export import MIX, NAME, READS, WRITES
from tests.unit.builders import pio, snapshot, with_parts
from tests.unit.exporting.crowd import crowd
from tests.waiting import eventually

TESTS = Path(__file__).resolve().parents[1]


def test_promtool_accepts_the_rules_and_they_fire_for_what_they_are_about(
    promtool: str, tmp_path: Path
) -> None:
    (tmp_path / "bpfexit.rules.yml").write_text(package_data("rules"))
    shutil.copy(TESTS / "data" / "bpfexit.rules.test.yml", tmp_path)
    for what, file in (("check", "bpfexit.rules.yml"), ("test", "bpfexit.rules.test.yml")):
        command = [promtool, what, "rules", file]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.fleet
@pytest.mark.usefixtures("needs_bpf", "needs_kvm")
def test_sums_in_promql_are_the_prime_numbers_of_the_guest_and_of_top(
    prometheus: str, tmp_path: Path
) -> None:
    with (
        exporter() as first,
        exporter() as second,
        scraping(prometheus, [first, second], tmp_path) as server,
    ):
        result = count(["--name", NAME, "--mix", MIX, "--rounds", "1"])
        everything = f'sum by (instance) (bpfexit_access_total{{guest="{NAME}"}})'
        eventually(lambda: server.values(everything) == [READS + WRITES + 1] * 2)
        places = f'bpfexit_access_total{{guest="{NAME}", address="%s"}}'
        assert server.values(places % "0x0608") == [READS] * 2
        assert server.values(places % "0x0021") == [WRITES] * 2
        assert result.places() == {
            Place("pio", "read", 0x608): READS,
            Place("pio", "write", 0x21): WRITES,
            Place("pio", "write", CONTROL_PORT): 1,
        }
        assert server.values(f'bpfexit_userspace_exits_total{{guest="{NAME}"}}') == [READS] * 2


@pytest.fixture(scope="module")
def busy(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run Prometheus over an exporter of guests with exits of every class, which go on."""
    counted = Exporter(guest_info, Detail())
    end = Event()

    def count() -> None:
        now = 0.0
        while not end.wait(0.3):
            now += 60.0
            counted.add(_minute(), now)

    thread = Thread(target=count)
    with (
        closing(Listener(Address("127.0.0.1", 0))) as listener,
        listener.serving(counted.registry),
    ):
        thread.start()
        url = f"http://{listener.address}/metrics"
        with scraping(prometheus, [url], tmp_path_factory.mktemp("prometheus")) as server:
            yield server
        end.set()
        thread.join()


def _minute() -> Snapshot:
    """Return a minute of a few guests, one of which reads the PM timer all the time."""
    timer = pio(0x608, ns=(80_000,), user_ns=(60_000,), wait_ns=9_000, vm="slow", pid=99)
    slow = snapshot(timer, guests=(Guest(99, "slow"),), duration_s=60.0)
    slow = with_parts(slow, *(10**10,) * 5)
    slow.rows.fields[["count", "timed", "total_ns"]] = 600_000, 600_000, 48 * 10**9
    both = merged([replace(crowd(3), duration_s=0.0), slow])
    return replace(both, guests=(*crowd(3).guests, *slow.guests))


@pytest.mark.fleet
@pytest.mark.parametrize("query", [each.of(".*", "1m") for each in queries()])
def test_every_query_of_the_dashboard_has_data(busy: Prometheus, query: str) -> None:
    def has_data() -> bool:
        return bool(busy.query(query))

    eventually(has_data)
