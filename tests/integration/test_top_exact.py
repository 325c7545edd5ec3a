"""`bpfexit top -j` on this machine's KVM: every count is exactly the guest's own."""

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from typing import Any

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import (
    CONTROL_PORT,
    GUEST,
    HLT_TIMER_REGISTERS,
    Counted,
    Place,
    count,
    keep_moving,
    next_line,
    running,
    started,
    under,
    until_counting,
    write,
)
from tests.integration.interrupting import interrupted, read_until
from tests.waiting import eventually

PRIMES = (
    "pio-read-kernel=9973,pio-write-kernel=1009,pio-read-user=5003,pio-write-user=1013,"
    "mmio-read-kernel=701,mmio-write-kernel=709,mmio-read-user=3001,mmio-write-user=719,"
    "apic-read=727,msr-read=1019,msr-write=1021,hlt=13"
)
USER_DELAY_US = 50


def besides(counted: Counted) -> set[Place]:
    """Return what was counted and is not among the guest's operations."""
    return set(counted.places() - counted.done())


KNOWN_BESIDES = {
    Place("pio", "write", CONTROL_PORT),
    *(Place("mmio", "write", register) for register in HLT_TIMER_REGISTERS),
    Place(None, None, None),  # on VMX and SVM: exits without an access, the host's interrupts
}


@pytest.fixture(scope="module")
def primes(needs_bpf: Ready, needs_kvm: None) -> Counted:
    return count(["--mix", PRIMES, "--rounds", "1"], ["-i", "0.1"])


def test_every_access_is_counted_exactly_once(primes: Counted) -> None:
    assert primes.done()
    assert primes.done() - primes.places() == {}
    assert besides(primes) <= KNOWN_BESIDES
    assert primes.lost == {}


def test_the_counts_are_spread_over_intervals_and_add_up(needs_bpf: Ready, needs_kvm: None) -> None:
    spread = counted_over_intervals(at_least=2)
    assert spread.done() - spread.places() == {}
    assert besides(spread) <= KNOWN_BESIDES
    assert spread.lost == {}
    ends = [snapshot["start"] + snapshot["duration_s"] for snapshot in spread.snapshots]
    starts = [snapshot["start"] for snapshot in spread.snapshots]
    assert starts[1:] == pytest.approx(ends[:-1], abs=1e-3)


def counted_over_intervals(at_least: int) -> Counted:
    """Let the guest run until so many intervals have exits of it, and to the end of its round."""
    result: dict[str, Any] = {}
    with started([*GUEST, "--mix", PRIMES]) as machine:
        pid = json.loads(next_line(machine))["pid"]

        def run(top: subprocess.Popen[str]) -> str:
            until_counting(top)
            write(machine, "\n")
            text = read_until(top, lambda text: busy(text) >= at_least)
            machine.send_signal(signal.SIGINT)
            result.update(json.loads(next_line(machine)))
            return text

        try:
            done = interrupted(run, "top", "-j", "-i", "0.1", "-p", str(pid))
        finally:
            machine.terminate()
    return Counted(result, [json.loads(line) for line in done.stdout.splitlines()])


def busy(text: str) -> int:
    """Return how many intervals have exits."""
    return sum(bool(json.loads(line)["rows"]) for line in text.splitlines())


def test_csv_has_the_same_lines_for_every_interval(needs_bpf: Ready, needs_kvm: None) -> None:
    mix = "pio-read-kernel=1009,mmio-read-user=701"
    guest = [*GUEST, "--mix", mix, "--rounds", "1"]
    done, output = under(["top", "--csv", "-i", "0.1", "--by", "port,mmio"], guest)
    rows = [row for row in csv.DictReader(output.splitlines()) if row["about"] == "group"]
    counts = Counter[Place]()
    for row in rows:
        counts[Place(row["kind"], row["access"], int(row["address"]))] += int(row["count"])
    expected = Counted(done, []).done()
    assert sorted(expected.values()) == [701, 1009]
    assert {place: counts[place] for place in expected} == expected
    assert all(int(row["address_hex"], 16) == int(row["address"]) for row in rows)


def test_what_user_space_served_is_told_from_what_the_kernel_did(primes: Counted) -> None:
    by_user = Counter[Place]()
    for row in primes.rows:
        by_user[Place(row["kind"], row["access"], row["address"])] += row["user_count"]
    for each in primes.operations():
        place = Place(each["kind"], each["access"], each["address"])
        assert by_user[place] == (each["count"] if each["served"] == "user" else 0), place


def test_time_in_user_space_is_at_least_what_the_guest_slept_there(
    needs_bpf: Ready, needs_kvm: None
) -> None:
    mix = "pio-read-user=101,pio-write-user=103,mmio-read-user=107,mmio-write-user=109"
    result = count(["--mix", mix, "--rounds", "1", "--user-delay", str(USER_DELAY_US)])
    rows = [row for row in result.rows if row["address"] != CONTROL_PORT]
    assert {row["address"] for row in rows} >= {0x608, 0xC050}
    for row in rows:
        assert row["user_ns"] >= row["user_count"] * USER_DELAY_US * 1000


def test_nothing_is_lost_while_the_vcpus_move_between_cpus(
    needs_bpf: Ready, needs_kvm: None
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs to move between")
    moves: list[int] = []
    mix = "pio-read-kernel=19997,pio-read-user=4999,msr-read=4993"

    def until_moved(machine: subprocess.Popen[str]) -> None:
        begun = len(moves)
        try:
            eventually(lambda: len(moves) - begun > 10)
        finally:
            machine.send_signal(signal.SIGINT)

    done, output = under(
        ["top", "-j", "-i", "0.1"],
        [*GUEST, "--mix", mix, "--vcpus", "2"],
        during=lambda ready: keep_moving(ready, moves),
        meanwhile=until_moved,
    )
    result = Counted(done, [json.loads(line) for line in output.splitlines()])
    assert result.done() - result.places() == {}
    assert besides(result) <= KNOWN_BESIDES
    assert result.lost == {}
    assert {row["vcpu"] for row in result.rows} == {0, 1}


@pytest.mark.parametrize("pause_s", [0, 0.03, 0.06])
def test_what_is_counted_as_the_programs_are_detached_has_its_time(
    needs_bpf: Ready, needs_kvm: None, pause_s: float
) -> None:
    def run(top: subprocess.Popen[str]) -> str:
        text = read_until(top, lambda text: len(without_time(text)) > 1)
        time.sleep(pause_s)
        return text

    with running(["--mix", "pio-read-user=3,mmio-read-user=1"]) as pid:
        done = interrupted(run, "top", "-j", "-p", str(pid), "-i", "0.1")
    # One at most is on its way.
    assert set(without_time(done.stdout).values()) <= {0, 1}


def without_time(text: str) -> Counter[int]:
    """Return of how many exits the time is not known, by address."""
    found = Counter[int]()
    for line in text.splitlines():
        for row in json.loads(line)["rows"]:
            found[row["address"]] += row["count"] - row["user_count"]
    return found


def test_one_vcpu_can_be_chosen(needs_bpf: Ready, needs_kvm: None) -> None:
    result = count(["--mix", "pio-read-kernel=997", "--rounds", "1", "--vcpus", "3"], ["-v", "2,0"])
    assert {row["vcpu"] for row in result.rows} == {0, 2}
    assert result.places()[Place("pio", "read", 0x21)] == 2 * 997


def test_what_finds_no_room_is_counted_as_lost(needs_bpf: Ready, needs_kvm: None) -> None:
    mix = ",".join(f"mmio-read-user@{0xD0000000 + 16 * i:#x}=3" for i in range(100))
    result = count(["--mix", mix, "--rounds", "1"], ["--max-rows", "32"])
    kept, lost = sum(result.places().values()), result.lost["map_full"]
    assert len(result.places()) == 32
    assert kept + lost >= 300
    assert result.lost == {"map_full": lost}
    assert kept + lost - 300 <= 1 + result.places()[Place(None, None, None)]
