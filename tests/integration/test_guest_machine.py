"""The guest on real KVM: what it says it did, held against what ftrace saw it do."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from bpfexit.testguest.mix import CONTROL_PORT
from bpfexit.testguest.program import APIC_EOI, APIC_TIMER_START
from tests.integration.interrupting import until_ran

pytestmark = pytest.mark.kvm

GUEST = [sys.executable, "-m", "bpfexit", "testguest"]
SOME_NS = 50_000_000
TRACEFS = Path("/sys/kernel/tracing")

Document = dict[str, Any]
Access = tuple[str, str, int]
"""Kind, read or write, address."""

# A read that the kernel cannot serve shows twice, first as `unsatisfied-read`.
EVENT = re.compile(
    r"-(?P<tid>\d+) .* kvm_(?P<kind>pio|mmio|msr): (?:pio_|msr_|mmio )(?P<access>read|write) "
    r"(?:at 0x|len \d+ gpa 0x)?(?P<address>[0-9a-f]+)"
)


class Ftrace:
    """An ftrace instance that sees the accesses of given threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "buffer_size_kb").write_text("4096")

    def watch(self, tids: list[int]) -> None:
        """Record these threads and nobody else: other guests may run meanwhile."""
        who = " || ".join(f"common_pid == {tid}" for tid in tids)
        for event in ("kvm_pio", "kvm_mmio", "kvm_msr"):
            (self.root / "events/kvm" / event / "filter").write_text(who)
            (self.root / "events/kvm" / event / "enable").write_text("1")

    def accesses(self) -> dict[int, Counter[Access]]:
        for stats in self.root.glob("per_cpu/cpu*/stats"):
            assert "\noverrun: 0\n" in stats.read_text(), "the trace lost events"
        seen: dict[int, Counter[Access]] = {}
        for event in EVENT.finditer((self.root / "trace").read_text()):
            access = (event["kind"], event["access"], int(event["address"], 16))
            seen.setdefault(int(event["tid"]), Counter())[access] += 1
        return seen


@pytest.fixture
def ftrace(needs_kvm: None) -> Iterator[Ftrace]:
    if not (TRACEFS / "instances").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS], check=True)
    root = TRACEFS / "instances" / f"bpfexit-test-{os.getpid()}"
    root.mkdir()
    try:
        yield Ftrace(root)
    finally:
        root.rmdir()


class Guest:
    """The command, waiting for its start."""

    def __init__(self, *options: str) -> None:
        command = [*GUEST, "--json", "--wait", "--linger", *options]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self.read()
        self.tids = [vcpu["tid"] for vcpu in self.ready["vcpus"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def read(self) -> Document:
        assert self.process.stdout
        document: Document = json.loads(self.process.stdout.readline())
        return document

    def go(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Let the command go; return its exit code."""
        self.process.communicate()
        return self.process.returncode


def expected(vcpu: Document) -> Counter[Access]:
    """Return the accesses that a vCPU's own counters stand for."""
    accesses: Counter[Access] = Counter({("pio", "write", CONTROL_PORT): vcpu["control_exits"]})
    for operation in vcpu["operations"]:
        if operation["kind"]:
            place = (operation["kind"], operation["access"], operation["address"])
            accesses[place] += operation["count"]
    return accesses


def without_wake_ups(vcpu: Document, seen: Counter[Access]) -> Counter[Access]:
    """Take away what the halts do to the local APIC: a start, a stop, a start again for each EOI.

    There is an EOI a halt, and one more when the vCPU is kept waiting for long after it.
    """
    halts = sum(each["count"] for each in vcpu["operations"] if each["op"] == "hlt")
    ends = seen["mmio", "write", APIC_EOI]
    assert ends >= halts
    assert seen["mmio", "write", APIC_TIMER_START] == (2 * halts + ends if halts else 0)
    timer = {("mmio", "write", APIC_EOI), ("mmio", "write", APIC_TIMER_START)}
    return Counter({access: count for access, count in seen.items() if access not in timer})


def assert_same(ftrace: Ftrace, result: Document) -> None:
    """Demand that ftrace saw what the guest reports."""
    seen = ftrace.accesses()
    assert set(seen) == {vcpu["tid"] for vcpu in result["vcpus"]}
    for vcpu in result["vcpus"]:
        assert without_wake_ups(vcpu, seen[vcpu["tid"]]) == expected(vcpu)


def watched_run(ftrace: Ftrace, *options: str) -> Document:
    """Run the guest under ftrace; demand that both tell the same; return the result."""
    with Guest(*options) as guest:
        ftrace.watch(guest.tids)
        guest.go()
        result = guest.read()
        assert guest.end() == 0
    assert_same(ftrace, result)
    return result


def interrupted_run(ftrace: Ftrace, number: signal.Signals, *options: str) -> Document:
    """Do the same with an endless guest, ended by a signal once all its vCPUs are seen running."""
    with Guest(*options) as guest:
        ftrace.watch(guest.tids)
        guest.go()
        while len(ftrace.accesses()) < len(guest.tids):
            assert guest.process.poll() is None
        guest.process.send_signal(number)
        result = guest.read()
        assert guest.end() == 0
    assert_same(ftrace, result)
    return result


def run(*options: str) -> Document:
    with Guest(*options) as guest:
        guest.go()
        result = guest.read()
        assert guest.end() == 0
    return result


def counts(result: Document, vcpu: int = 0) -> dict[str, int]:
    return {o["op"]: o["count"] for o in result["vcpus"][vcpu]["operations"]}


def test_every_operation_takes_exactly_its_exits(ftrace: Ftrace) -> None:
    result = watched_run(ftrace, "--mix", "all", "--rounds", "101")
    assert set(counts(result).values()) == {101}
    assert len(counts(result)) == 14


def test_the_exits_of_a_mix_are_exact_to_the_last(ftrace: Ftrace) -> None:
    mix = "msr-read=7,pio-read-user@0x70=5,mmio-write-user@0xfeb00010=3"
    result = watched_run(ftrace, "--mix", mix, "--exits", "997")
    # 66 rounds of 15, then 7 more, which the first step takes.
    assert counts(result) == {"msr-read": 469, "pio-read-user": 330, "mmio-write-user": 198}


def test_each_vcpu_takes_all_the_exits(ftrace: Ftrace) -> None:
    result = watched_run(ftrace, "--mix", "all", "--exits", "1009", "--vcpus", "2")
    assert [sum(counts(result, vcpu).values()) for vcpu in (0, 1)] == [1009, 1009]


def test_many_addresses_keep_their_own_counts(ftrace: Ftrace) -> None:
    ports = {port: 1 + port % 7 for port in range(0x1000, 0x1000 + 600 * 4, 4)}
    mix = ",".join(f"pio-read-user@{port:#x}={weight}" for port, weight in ports.items())
    result = watched_run(ftrace, "--mix", mix, "--rounds", "2")
    seen = {o["address"]: o["count"] for o in result["vcpus"][0]["operations"]}
    assert seen == {port: 2 * weight for port, weight in ports.items()}


def test_a_pace_adds_control_exits_and_no_others(ftrace: Ftrace) -> None:
    result = watched_run(ftrace, "--mix", "clock", "--exits", "1103", "--rate", "20000")
    assert sum(counts(result).values()) == 1103
    assert result["vcpus"][0]["control_exits"] == 1103 // 200 + 1  # pauses, and the end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mix", ["pio", "clock"])
def test_an_interrupted_guest_is_exact_too(
    ftrace: Ftrace, mix: str, number: signal.Signals
) -> None:
    interrupted_run(ftrace, number, "--mix", mix, "--vcpus", "2", "--rate", "3000")


def test_an_endless_guest_without_pauses_ends_with_a_whole_round(ftrace: Ftrace) -> None:
    # Few exits that ftrace sees among many that it does not: the trace must not overrun.
    result = interrupted_run(ftrace, signal.SIGINT, "--mix", "cpuid=2003,msr-read=2")
    assert counts(result)["cpuid"] * 2 == counts(result)["msr-read"] * 2003
    assert result["vcpus"][0]["control_exits"] == 1


def test_a_paced_guest_ends_at_a_pause(ftrace: Ftrace) -> None:
    result = interrupted_run(ftrace, signal.SIGINT, "--mix", "clock", "--rate", "100")
    assert sum(counts(result).values()) < 1021  # a round, which would take ten seconds


def test_a_signal_that_the_thread_of_a_vcpu_gets_ends_the_guest(needs_kvm: None) -> None:
    """The main thread's wait is not interrupted, as when a signal comes just before it."""
    with Guest("--mix", "pio-read-kernel") as guest:
        guest.go()
        until_ran(guest.process.pid, SOME_NS)
        os.kill(guest.tids[0], signal.SIGTERM)
        assert counts(guest.read())["pio-read-kernel"]
        assert guest.end() == 0


def test_a_duration_ends_the_guest(needs_kvm: None) -> None:
    for duration_s in (0.05, 0.5, 5.0, 50.0):  # a thread may wait for a CPU for as long
        result = run("--mix", "pio", "-d", str(duration_s), "--vcpus", "2")
        assert result["duration_s"] >= duration_s
        if all(counts(result, vcpu)["pio-read-kernel"] for vcpu in (0, 1)):
            return
    raise AssertionError(result)


def test_the_delay_of_the_user_is_waited(needs_kvm: None) -> None:
    result = run("--mix", "pio-read-user", "--exits", "7", "--user-delay", "3000")
    assert result["duration_s"] >= 7 * 0.003


def test_the_threads_are_there_and_named_until_the_end(needs_kvm: None) -> None:
    with Guest("--mix", "cpuid", "--exits", "1", "--vcpus", "2") as guest:
        guest.go()
        guest.read()
        tasks = Path(f"/proc/{guest.ready['pid']}/task")
        names = [(tasks / str(tid) / "comm").read_text().strip() for tid in guest.tids]
        assert guest.end() == 0
    assert names == ["CPU 0/KVM", "CPU 1/KVM"]


def test_a_guest_that_was_never_started_takes_no_exits(ftrace: Ftrace) -> None:
    with Guest("--mix", "all", "--exits", "1009") as guest:
        ftrace.watch(guest.tids)
        assert guest.end() == 0
    assert ftrace.accesses() == {guest.tids[0]: Counter({("pio", "write", CONTROL_PORT): 1})}


def test_ctrl_c_ends_a_guest_that_was_never_started_at_once(ftrace: Ftrace) -> None:
    with Guest("--mix", "all", "--exits", "1009") as guest:
        ftrace.watch(guest.tids)
        guest.process.send_signal(signal.SIGINT)
        assert guest.end() == -signal.SIGINT
    assert ftrace.accesses() == {}
