"""bpfexit's own cost: program runs are exactly the guest's accesses, and every command shows it."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bpfexit.guests.guests import Guests
from bpfexit.host import bpf_statistics
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.tracer.source import KernelSource
from tests.costing import MIX, expected_runs, measured, runs
from tests.counting import BPFEXIT, Counted, running
from tests.integration.interrupting import interrupted_after
from tests.waiting import eventually

ATTEMPTS = 5
SOME_NS = 20_000_000
"""Of a CPU's time, in which the guest takes hundreds of accesses."""
SETTING = Path("/proc/sys/kernel/bpf_stats_enabled")


@pytest.fixture(scope="module", autouse=True)
def needs_statistics(needs_bpf: Ready, needs_kvm: None) -> None:
    with bpf_statistics.enabled():  # whoever may load programs as root may do this, too
        pass


def is_alone(found: Counted) -> bool:
    return {row["pid"] for row in found.rows} == {found.guest["pid"]}


@pytest.fixture(scope="module")
def primes(needs_bpf: Ready) -> Counted:
    """Return a measurement, if it can be one in whose window no other guest took an access."""
    for _ in range(ATTEMPTS):
        found = measured(needs_bpf, ["--mix", MIX, "--rounds", "1"])
        if is_alone(found):
            break
    return found


def test_every_access_is_a_run_of_its_program(primes: Counted) -> None:
    expected = expected_runs(primes)
    assert expected["kvm_msr"] == 1019 + 1021
    assert expected - runs(primes) == {}


def test_no_program_runs_for_anything_else(primes: Counted) -> None:
    if not is_alone(primes):
        pytest.skip("programs run for every guest, and others run on this machine all the time")
    expected = expected_runs(primes)
    assert {event: runs(primes)[event] for event in expected} == expected


def test_the_cost_is_per_exit(primes: Counted, needs_bpf: Ready) -> None:
    exits = primes.snapshots[0]["cost"]["programs"]["exits"]
    if needs_bpf.backend.has_exit_events:
        assert exits == runs(primes)["kvm_exit"]
    else:
        assert primes.done().total() < exits <= sum(row["count"] for row in primes.rows)


@pytest.fixture(scope="module")
def guest(needs_kvm: None) -> Iterator[int]:
    """Run a guest that takes accesses all the time; return its pid."""
    with running(["--rate", "5000", "--mix", "pio-read-kernel"]) as pid:
        yield pid


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "120"}
    return subprocess.run(
        [*BPFEXIT, *arguments], capture_output=True, text=True, check=True, env=environment
    )


def test_top_measures_in_its_first_interval_only(guest: int) -> None:
    first, *others = eventually(costs_with_accesses)
    assert 0 < first["programs"]["duration_s"] <= first["over_s"]
    assert [each["programs"] for each in others] == [None, None]
    assert all(each["cpu_s"] > 0 for each in others)


def costs_with_accesses() -> list[dict[str, Any]]:
    """Return the costs of three intervals; none if the guest did not run while it was measured."""
    costs = [json.loads(line)["cost"] for line in run("top", "-j", "0.2", "3").stdout.splitlines()]
    programs = {each["event"]: each["runs"] for each in costs[0]["programs"]["programs"]}
    return costs if programs["kvm_pio"] > 0 else []


def test_plain_tables_say_it_once_and_in_the_sum(guest: int) -> None:
    assert run("top", "-b", "0.2", "3").stdout.count("cost: programs") == 2


def test_a_recording_keeps_it_for_the_report(guest: int, tmp_path: Path) -> None:
    path = str(tmp_path / "exits.jsonl.gz")
    said = run("record", "-o", path, "-i", "0.2", "-d", "0.6").stderr.splitlines()[-1]
    assert "cost: programs " in said
    assert said.removeprefix("bpfexit: ").partition(";")[0] in run("report", path).stdout


def test_doctor_says_what_each_program_took(guest: int) -> None:
    options = ("doctor", "--overhead", "-d", "600")
    documents = interrupted_after(guest, SOME_NS, *options, "-j").stdout.splitlines()
    whole, *programs = map(json.loads, documents)
    assert whole["schema"] == "bpfexit.cost/2"
    assert whole["runs"] == sum(each["runs"] for each in programs)
    assert whole["ns"] == sum(each["ns"] for each in programs)
    assert whole["ns_per_exit"] == whole["ns"] / whole["exits"] > 0
    table = interrupted_after(guest, SOME_NS, *options).stdout
    assert all(f"{each['event']} " in table for each in programs)
    assert "bpfexit itself" in table


def test_a_duration_belongs_to_the_overhead() -> None:
    done = subprocess.run(
        [*BPFEXIT, "doctor", "-d", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "-d applies to --overhead only" in done.stderr


def test_without_the_capability_it_counts_on_and_says_what_is_missing(
    guest: int, needs_root: None
) -> None:
    enough = "-all,+bpf,+perfmon,+dac_read_search,+dac_override,+sys_resource,+sys_ptrace"
    weak = ("setpriv", f"--bounding-set={enough}", *BPFEXIT)
    counted = subprocess.run([*weak, "top", "-j", "0.2", "1"], capture_output=True, check=True)
    cost = json.loads(counted.stdout)["cost"]
    assert cost["programs"] is None
    assert cost["cpu_s"] > 0
    refused = subprocess.run(
        [*weak, "doctor", "--overhead", "-d", "0.1"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "run bpfexit with CAP_SYS_ADMIN" in refused.stderr.splitlines()[-1]


def own_runs() -> int:
    """Return how many program runs the statistics have of this process's programs."""
    fds = [int(each.name) for each in Path("/proc/self/fd").iterdir()]
    return sum(bpf_statistics.counters(fd).runs for fd in fds if is_program(fd))


def is_program(fd: int) -> bool:
    """Say whether a descriptor is a program's; that of the listing itself is closed by now."""
    path = Path(f"/proc/self/fd/{fd}")
    return path.is_symlink() and path.readlink().name == "anon_inode:bpf-prog"


def test_the_statistics_are_not_left_on(guest: int, needs_bpf: Ready) -> None:
    if SETTING.read_text().strip() != "0":
        pytest.skip("the sysctl kernel.bpf_stats_enabled is set")
    with closing(KernelSource(needs_bpf.backend, needs_bpf.tracefs, Filter(), Guests())) as source:
        with source.measuring_cost():
            eventually(own_runs)
        source.next()
        before = own_runs()
        eventually(lambda: source.next().exits)
        assert own_runs() == before > 0
