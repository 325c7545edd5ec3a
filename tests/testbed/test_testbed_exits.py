"""`bpfexit top` on a real `kvm_amd`: exact counts, and latencies as ftrace has them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bpfexit.commands.report import report
from bpfexit.model.filter import Filter
from bpfexit.model.histogram import LOWER_NS, bucket_of
from bpfexit.model.snapshot import merged
from bpfexit.recording.total import total
from tests.costing import ENDED, expected_runs, runs
from tests.counting import CONTROL_PORT, HLT_TIMER_REGISTERS, Counted, Place
from tests.slow_guest import DELAY_US
from tests.testbed.conftest import Findings
from tests.unit.builders import tally

REASONS = {"pio": "io", "mmio": "npf", "msr": "msr"}
"""SVM's reason for each kind of access; an operation without one is named as its reason."""

BESIDES = {
    ("io", Place("pio", "write", CONTROL_PORT)),
    *(("npf", Place("mmio", "write", register)) for register in HLT_TIMER_REGISTERS),
    # The first touch of memory, the host's own interrupts, and the wake-up from HLT.
    *((reason, Place(None, None, None)) for reason in ("npf", "interrupt", "nmi", "vintr")),
}

PROBE_SLACK_NS = 60
"""How far, in instructions, the distance of the two probes may stray from its median."""

EXITS_A_PAGE = 27
PAGE_TURN_NS = 6000
"""ftrace turns a page of its buffer at every 80th event or so. When that falls between its clock
and ours, up to so many instructions are in its latency of that exit, and not in ours: mostly some
hundred, rarely thousands."""

IN_ALL = re.compile(r"exits/s  ([0-9,]+) in ")

Key = tuple[str, Place]


def slack_of_mean(exits: int) -> float:
    """Return how far the mean of so many latencies may be off, with two slow page turns."""
    return PROBE_SLACK_NS + 2 * PAGE_TURN_NS / exits


def done(result: Counted) -> Counter[Key]:
    """Return what the guest says it did, by reason and place."""
    total: Counter[Key] = Counter()
    for each in result.operations():
        place = Place(each["kind"], each["access"], each["address"])
        total[REASONS.get(each["kind"], each["op"]), place] += each["count"]
    return total


def counted(result: Counted) -> Counter[Key]:
    """Return what `top` counted, by reason and place."""
    total: Counter[Key] = Counter()
    for row in result.rows:
        total[row["reason"], Place(row["kind"], row["access"], row["address"])] += row["count"]
    return total


def of(found: Any) -> Counted:
    """Return a scenario's counts."""
    return Counted(found["guest"], found["snapshots"])


def check_exact(result: Counted) -> None:
    """Every exit of the guest's operations is there once, and only what is known besides."""
    truth, seen = done(result), counted(result)
    assert truth
    assert {key: seen[key] for key in truth} == truth
    assert set(seen) - set(truth) <= BESIDES
    assert result.lost == {}


@pytest.fixture(scope="session")
def primes(timed_findings: Findings) -> Any:
    return timed_findings("primes")


def by_key(primes: Any) -> dict[Key, list[dict[str, Any]]]:
    """Return ftrace's exits by reason and place."""
    exits = defaultdict(list)
    for each in primes["exits"]:
        exits[each["reason"], Place(*each["place"])].append(each)
    return exits


def rows_of(result: Counted, key: Key) -> list[dict[str, Any]]:
    """Return the rows of all intervals that are about this."""
    return [
        row
        for row in result.rows
        if (row["reason"], Place(row["kind"], row["access"], row["address"])) == key
    ]


def histogram(rows: Iterable[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Add up the rows' histograms."""
    total = np.zeros(len(LOWER_NS), np.int64)
    for row in rows:
        for lower, _, count in row["hist"]:
            total[np.searchsorted(LOWER_NS, lower)] += count
    return total


def test_prime_counts_of_every_kind_are_exact(primes: Any) -> None:
    check_exact(of(primes))


def test_ftrace_saw_the_very_same_exits(primes: Any) -> None:
    truth = Counter({key: len(exits) for key, exits in by_key(primes).items()})
    assert counted(of(primes)) == truth
    assert primes["unended"] == of(primes).snapshots[-1]["in_flight"] == 1


def distance_ns(primes: Any) -> float:
    """Return the distance of the probes: ours minus ftrace's mean latency, the median of all."""
    result = of(primes)
    distances = []
    for key, exits in by_key(primes).items():
        rows = rows_of(result, key)
        ours = sum(row["total_ns"] for row in rows) / sum(row["count"] for row in rows)
        distances.append(ours - np.mean([each["ns"] for each in exits]))
    return float(np.median(distances))


def test_mean_latencies_are_those_of_ftrace_but_for_the_probes(
    primes: Any, record_property: Any
) -> None:
    result, distance = of(primes), distance_ns(primes)
    record_property("probe distance, instructions", distance)
    print(f"the probes are {distance:.0f} instructions apart")
    for key in done(result):
        exits, rows = by_key(primes)[key], rows_of(result, key)
        ours = sum(row["total_ns"] for row in rows) / len(exits)
        truth = np.mean([each["ns"] for each in exits])
        assert ours - distance == pytest.approx(truth, abs=slack_of_mean(len(exits))), key


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_quantiles_lie_in_the_bucket_of_the_exact_one(primes: Any, quantile: float) -> None:
    result, distance = of(primes), distance_ns(primes)
    for key in done(result):
        latencies = sorted(each["ns"] + distance for each in by_key(primes)[key])
        rank = int(np.ceil(quantile * len(latencies)))
        # The least it may be: with two of those above it so long for a slow page turn only.
        nearest = latencies[max(rank - 3, 0)] - PROBE_SLACK_NS, latencies[rank - 1] + PROBE_SLACK_NS
        low, high = bucket_of(np.array(nearest, np.uint64))
        counts = histogram(rows_of(result, key))
        at = int(np.argmax(np.cumsum(counts) >= rank))
        assert low <= at <= high, key


def test_maxima_are_those_of_ftrace_but_for_the_probes(primes: Any) -> None:
    result, distance = of(primes), distance_ns(primes)
    for key in done(result):
        ours = max(row["max_ns"] for row in rows_of(result, key))
        truth = sorted(each["ns"] for each in by_key(primes)[key])
        pages = len(truth) // EXITS_A_PAGE + 1
        least, most = truth[-1 - pages] - PROBE_SLACK_NS, truth[-1] + PROBE_SLACK_NS
        assert least < ours - distance < most, key


def test_time_in_user_space_is_that_of_ftrace(primes: Any) -> None:
    result = of(primes)
    for key in done(result):
        exits, rows = by_key(primes)[key], rows_of(result, key)
        ours = sum(row["user_ns"] for row in rows) / len(exits)
        truth = sum(each["user_ns"] for each in exits) / len(exits)
        assert ours == pytest.approx(truth, abs=slack_of_mean(len(exits))), key
        assert sum(row["user_count"] for row in rows) == sum(e["user_ns"] > 0 for e in exits), key


def test_counts_are_exact_while_the_vcpus_move_between_cpus(findings: Findings) -> None:
    moved = findings("moved")
    check_exact(of(moved))
    assert moved["moves"] > 10
    assert {row["vcpu"] for row in of(moved).rows} == {0, 1}


@pytest.fixture
def recorded(findings: Findings, tmp_path: Path) -> Path:
    path = tmp_path / "exits.jsonl"
    path.write_text(findings("borders")["file"])
    return path


def test_a_recording_of_many_intervals_is_exact(findings: Findings, recorded: Path) -> None:
    result = of(findings("borders"))
    check_exact(result)
    busy = [each for each in result.snapshots if each["rows"]]
    assert len(busy) > 10
    cut = [each for each in result.snapshots[:-1] if each["in_flight"]]
    assert cut, "no border fell into an exit"
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


def test_more_addresses_than_the_cache_holds_are_exact(findings: Findings) -> None:
    check_exact(of(findings("many")))


def test_only_the_reasons_asked_for_are_counted(findings: Findings) -> None:
    result = of(findings("by_reason"))
    truth = Counter({key: n for key, n in done(result).items() if key[0] in ("cpuid", "io")})
    seen = counted(result)
    assert {key: seen[key] for key in truth} == truth
    assert result.reasons().keys() == {"cpuid", "io"}
    assert result.lost == {}


def test_only_the_vcpu_asked_for_is_counted(findings: Findings) -> None:
    result = of(findings("by_vcpu"))
    assert {row["vcpu"] for row in result.rows} == {1}
    one = {key: n // 2 for key, n in done(result).items()}
    seen = counted(result)
    assert {key: seen[key] for key in one} == one


def test_what_finds_no_room_is_counted_as_lost(findings: Findings) -> None:
    result = of(findings("full"))
    seen = counted(result)
    assert len(seen) == 32
    assert result.lost.keys() == {"map_full"}
    besides = sum(n for key, n in seen.items() if key in BESIDES)
    taken = sum(done(result).values())
    # What got no row besides is the host's interrupts and the page faults of the start.
    assert taken <= sum(seen.values()) - besides + result.lost["map_full"] <= taken + 10


def test_slow_exits_are_told_of_one_by_one_and_no_halt_is(findings: Findings) -> None:
    result = findings("slow")
    told = Counter(
        (each["reason"], Place(each["kind"], each["access"], each["address"]), each["rip"])
        for each in result["told"]
        if each["user_ns"] >= DELAY_US * 1000
    )
    truth = Counter(
        (each["reason"], Place(*each["place"]), each["rip"])
        for each in result["exits"]
        if each["user_ns"] >= DELAY_US * 1000
    )
    assert sorted(truth.values()) == [7, 11, 13]
    assert told == truth
    assert all(each["ns"] >= each["user_ns"] for each in result["told"])
    assert "hlt" not in {each["reason"] for each in result["told"]}


def test_guest_time_and_exit_time_fill_the_clock(primes: Any) -> None:
    result = of(primes)
    exits = sum(row["total_ns"] for row in result.rows)
    guest = sum(vcpu["guest_ns"] for each in result.snapshots for vcpu in each["vcpus"])
    begun = result.guest["duration_s"] * 1e9
    assert 0.9 * begun < exits + guest < 1.1 * begun


def test_every_exit_and_every_access_is_one_run_of_its_program(findings: Findings) -> None:
    result = of(findings("own_cost"))
    check_exact(result)
    (snapshot,) = result.snapshots
    found, cost = runs(result), snapshot["cost"]["programs"]
    assert cost["exits"] == found["kvm_exit"] == result.reasons().total() + snapshot["in_flight"]
    # One entry came before the first exit, and none after the last, which waits in user space.
    assert found["kvm_entry"] == found["kvm_exit"]
    expected = expected_runs(result)
    assert {event: found[event] for event in expected} == expected
    assert all(each["ns"] > 0 for each in cost["programs"] if each["runs"])


def test_perf_counts_every_event_that_programs_are_attached_to(findings: Findings) -> None:
    found = findings("perf")
    result, seen = of(found), Counter(found["perf"])
    check_exact(result)
    exits = result.reasons().total() + result.snapshots[-1]["in_flight"]
    assert (seen["kvm:kvm_exit"], seen["kvm:kvm_entry"]) == (exits, exits)
    expected = {f"kvm:{event}": count for event, count in expected_runs(result).items()}
    assert {event: seen[event] for event in expected} == expected
    assert seen["sched:sched_process_exit"] >= ENDED
