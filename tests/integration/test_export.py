"""`bpfexit export` on this machine: exact, in time without scrapes, valid to Prometheus's tools."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bpfexit.model.losses import NOT_COUNTED
from tests.counting import BPFEXIT, started
from tests.integration.exporting import exporter, scraped, total
from tests.waiting import ENOUGH_S, eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

READS, WRITES = 9973, 1013
NAME = f"prime-{os.getpid()}"
"""Other tests may run guests beside."""
MIX = f"pio-read-user={READS},pio-write-kernel={WRITES}"


def guest(name: str, mix: str = MIX) -> None:
    """Run a guest to its end."""
    command = [*BPFEXIT, "testguest", "--name", name, "--rounds", "1", "--json", "--mix", mix]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=ENOUGH_S)


def ended(url: str, name: str) -> Callable[[], bool]:
    """Say whether the last reading has all accesses of a guest."""
    return lambda: total(scraped(url), "bpfexit_access_total", guest=name) >= READS + WRITES + 1


def test_counts_are_exact_after_the_guest_has_ended() -> None:
    with exporter() as url:
        guest(NAME)
        eventually(ended(url, NAME))
        text = scraped(url)
    assert total(text, "bpfexit_access_total", guest=NAME, address="0x0608") == READS
    assert total(text, "bpfexit_access_total", guest=NAME, address="0x0021") == WRITES
    assert total(text, "bpfexit_userspace_exits_total", guest=NAME) == READS
    assert not any(total(text, "bpfexit_lost_events_total", cause=each) for each in NOT_COUNTED)


def test_guests_that_come_and_go_without_a_scrape_are_all_counted() -> None:
    names = [f"churn{number}" for number in range(6)]
    with exporter() as url:
        for name in names:
            guest(name)
        eventually(ended(url, names[-1]))
        text = scraped(url)
    reads = [total(text, "bpfexit_access_total", guest=each, address="0x0608") for each in names]
    assert reads == [READS] * len(names)


def test_promtool_has_no_complaint(promtool: str) -> None:
    with exporter() as url:
        guest(NAME)
        eventually(ended(url, NAME))
        text = scraped(url)
    check = [promtool, "check", "metrics"]
    done = subprocess.run(check, input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_text_file_has_the_same_and_goes_with_the_exporter(tmp_path: Path) -> None:
    path = tmp_path / "bpfexit.prom"
    command = [*BPFEXIT, "export", "--textfile", str(path), "-i", "0.2"]

    def count(**labels: str) -> float:
        return total(path.read_text(), "bpfexit_access_total", guest=NAME, **labels)

    with started(command) as process:
        try:
            eventually(path.exists)
            guest(NAME)
            eventually(lambda: count() >= READS + WRITES + 1)
            assert count(address="0x0608") == READS
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=ENOUGH_S)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_options_may_stand_in_a_file(tmp_path: Path) -> None:
    config = tmp_path / "export.toml"
    config.write_text("address-series = 1\n")
    with exporter("--config", str(config)) as url:
        guest(NAME)
        eventually(ended(url, NAME))
        text = scraped(url)
    assert total(text, "bpfexit_access_total", address="other") > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--listen", "1", "--textfile", "x.prom"), "--listen and --textfile exclude each other"),
        (("--textfile", "x.txt"), "x.txt must end in .prom"),
        (("--listen", "example"), "'example' is not an address"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    done = subprocess.run(
        [*BPFEXIT, "export", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
