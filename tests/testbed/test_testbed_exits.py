"""`bpfexit top` on a real `kvm_amd` and `kvm_intel`: exact counts, latencies as ftrace has them."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bpfexit.commands.report import report
from bpfexit.host.kernel import PREEMPTIBLE_TRACEPOINTS
from bpfexit.model.filter import Filter
from bpfexit.model.histogram import bucket_of
from bpfexit.model.snapshot import merged
from bpfexit.recording.total import total
from tests.costing import ENDED, expected_runs, runs
from tests.counting import Counted
from tests.testbed.comparing import (
    EXITS_A_PAGE,
    PROBE_SLACK,
    by_key,
    check_exact,
    histogram,
    of,
    probe_distance_at,
    probe_distance_ns,
    rows_of,
    sized,
    slack_of_mean,
    truth_of,
)
from tests.testbed.conftest import Findings
from tests.testbed.exits import BUSY_INTERVALS
from tests.testbed.kernels import Kernel
from tests.testbed.truth import Exit
from tests.testbed.vendors import Vendor
from tests.unit.tallies import tally

pytestmark = pytest.mark.hosts("svm", "vmx")

SLICES_NS = 10_000_000
"""Two time slices, for which the vCPU's thread may wait between ftrace's probe and ours, where the
kernel can preempt it there: a host with one CPU has other threads to run."""


IN_ALL = re.compile(r"exits/s  ([0-9,]+) in ")


@pytest.fixture(scope="session")
def primes(findings: Findings) -> Any:
    return findings("primes")


@pytest.fixture(scope="session")
def result(primes: Any) -> Counted:
    return of(primes)


@pytest.fixture(scope="session")
def truth(primes: Any) -> list[Exit]:
    found, _ = truth_of(primes)
    return found


@pytest.fixture(scope="session")
def distance(result: Counted, truth: list[Exit], vendor: Vendor) -> float:
    """Return how far the probes are apart, in ns."""
    found = probe_distance_ns(result, truth)
    print(f"the probes are {found / vendor.instruction_ns:.0f} instructions apart")
    return found


@pytest.fixture(scope="session")
def done(result: Counted, vendor: Vendor) -> Counter[Any]:
    """Return what the guest says it did, by reason and place."""
    return vendor.expected(result.operations())


def test_prime_counts_of_every_kind_are_exact(result: Counted, vendor: Vendor) -> None:
    check_exact(result, vendor)


def test_ftrace_saw_the_very_same_exits(primes: Any, result: Counted) -> None:
    truth, unended = truth_of(primes)
    assert sized(result) == Counter((each.reason, each.place, each.size) for each in truth)
    assert unended == result.snapshots[-1]["in_flight"] == 1


def test_mean_latencies_are_those_of_ftrace_but_for_the_probes(
    result: Counted, truth: list[Exit], distance: float, done: Counter[Any], vendor: Vendor
) -> None:
    groups = by_key(truth)
    for key in done:
        exits, rows = groups[key], rows_of(result, key)
        ours = sum(row["total_ns"] for row in rows) / len(exits)
        mean = np.mean([each.ns for each in exits])
        ours -= probe_distance_at(key, distance, vendor)
        assert ours == pytest.approx(mean, abs=slack_of_mean(len(exits), vendor)), key


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_quantiles_lie_in_the_bucket_of_the_exact_one(
    result: Counted,
    truth: list[Exit],
    distance: float,
    done: Counter[Any],
    vendor: Vendor,
    quantile: float,
) -> None:
    groups, slack = by_key(truth), PROBE_SLACK * vendor.instruction_ns
    for key in done:
        apart = probe_distance_at(key, distance, vendor)
        latencies = sorted(each.ns + apart for each in groups[key])
        rank = int(np.ceil(quantile * len(latencies)))
        # The least it may be: with two of those above it so long for a slow page turn only.
        nearest = latencies[max(rank - 3, 0)] - slack, latencies[rank - 1] + slack
        low, high = bucket_of(np.array(nearest, np.uint64))
        counts = histogram(rows_of(result, key))
        at = int(np.argmax(np.cumsum(counts) >= rank))
        assert low <= at <= high, key


def test_maxima_are_those_of_ftrace_but_for_the_probes(
    result: Counted, truth: list[Exit], distance: float, done: Counter[Any], vendor: Vendor
) -> None:
    groups, slack = by_key(truth), PROBE_SLACK * vendor.instruction_ns
    for key in done:
        ours = max(row["max_ns"] for row in rows_of(result, key))
        latencies = sorted(each.ns for each in groups[key])
        pages = len(latencies) // EXITS_A_PAGE + 1
        least, most = latencies[max(-1 - pages, -len(latencies))] - slack, latencies[-1] + slack
        assert least < ours - probe_distance_at(key, distance, vendor) < most, key


def test_time_in_user_space_is_that_of_ftrace(
    result: Counted, truth: list[Exit], done: Counter[Any], vendor: Vendor, kernel: Kernel
) -> None:
    groups = by_key(truth)
    waited = SLICES_NS if kernel.version >= PREEMPTIBLE_TRACEPOINTS else 0
    for key in done:
        exits, rows = groups[key], rows_of(result, key)
        ours = sum(row["user_ns"] for row in rows) / len(exits)
        mean = sum(each.user_ns for each in exits) / len(exits)
        slack = slack_of_mean(len(exits), vendor) + waited / len(exits)
        assert ours == pytest.approx(mean, abs=slack), key
        assert sum(row["user_count"] for row in rows) == sum(e.user_ns > 0 for e in exits), key


@pytest.fixture
def recorded(findings: Findings) -> Path:
    return Path(findings("borders")["recording"])


def test_a_recording_of_many_intervals_is_exact(
    findings: Findings, vendor: Vendor, recorded: Path
) -> None:
    result = of(findings("borders"))
    check_exact(result, vendor)
    assert sum(each["in_flight"] > 0 for each in result.snapshots[:-1]) > 0
    assert len(result.snapshots) > BUSY_INTERVALS
    counted = sum(row["count"] for row in result.rows)
    assert f"  {counted:,} in " in reported(recorded)


def test_what_is_reported_before_and_after_any_border_adds_up(
    findings: Findings, recorded: Path
) -> None:
    snapshots = of(findings("borders")).snapshots
    whole = tally(total(recorded, Filter()).snapshot)
    for place in range(1, len(snapshots)):
        border = snapshots[place]["start"] - snapshots[0]["start"]
        sides = total(recorded, Filter(), None, border), total(recorded, Filter(), border, None)
        assert [side.intervals for side in sides] == [place, len(snapshots) - place]
        assert tally(merged([side.snapshot for side in sides])) == whole
        shown = reported(recorded, "--to", str(border)), reported(recorded, "--from", str(border))
        counts = [int(found.replace(",", "")) for each in shown for found in IN_ALL.findall(each)]
        assert counts == [side.snapshot.exits for side in sides]


def reported(path: Path, *options: str) -> str:
    """Return what `report` prints."""
    done = CliRunner().invoke(report, [str(path), *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_guest_time_and_exit_time_fill_the_clock(result: Counted) -> None:
    exits = sum(row["total_ns"] for row in result.rows)
    guest = sum(vcpu["guest_ns"] for each in result.snapshots for vcpu in each["vcpus"])
    begun = result.guest["duration_s"] * 1e9
    assert 0.9 * begun < exits + guest < 1.1 * begun


def test_every_exit_and_every_access_is_one_run_of_its_program(
    findings: Findings, vendor: Vendor
) -> None:
    result = of(findings("own_cost"))
    check_exact(result, vendor)
    (snapshot,) = result.snapshots
    found, cost = runs(result), snapshot["cost"]["programs"]
    assert cost["exits"] == found["kvm_exit"] == result.reasons().total() + snapshot["in_flight"]
    # One entry came before the first exit, and none after the last, which waits in user space.
    assert found["kvm_entry"] == found["kvm_exit"]
    expected = expected_runs(result)
    for event in vendor.carried:
        assert event not in found
        del expected[event]
    assert {event: found[event] for event in expected} == expected
    assert all(each["ns"] > 0 for each in cost["programs"] if each["runs"])


@pytest.mark.hosts("svm")  # the root that Bochs boots has no perf
def test_perf_counts_every_event_that_programs_are_attached_to(
    findings: Findings, vendor: Vendor
) -> None:
    found = findings("perf")
    result, seen = of(found), Counter(found["perf"])
    check_exact(result, vendor)
    exits = result.reasons().total() + result.snapshots[-1]["in_flight"]
    assert (seen["kvm:kvm_exit"], seen["kvm:kvm_entry"]) == (exits, exits)
    expected = {f"kvm:{event}": count for event, count in expected_runs(result).items()}
    assert {event: seen[event] for event in expected} == expected
    assert seen["sched:sched_process_exit"] >= ENDED
