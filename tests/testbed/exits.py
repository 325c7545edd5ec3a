"""Scenarios of the session inside: the guest under `bpfexit top -j`, one way and another."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.host import kernel, preflight
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.names.reasons import Isa
from bpfexit.run.session import live_source
from bpfexit.tracer.host_plan import TYPED_TASK
from tests import named_guests
from tests.costing import MIX, beside_perf, measured
from tests.counting import BPFEXIT, Counted, count, keep_moving, record, recorded, running, tids
from tests.ftrace import recording
from tests.slow_guest import record_slow_guest
from tests.testbed.truth import EVENTS, leaving, left

PRIMES = (
    "pio-read-kernel=997,pio-write-kernel=1009,pio-read-user=503,pio-write-user=509,"
    "mmio-read-kernel=701,mmio-write-kernel=709,mmio-read-user=307,mmio-write-user=311,"
    "apic-read=719,cpuid=1013,msr-read=1019,msr-write=1021,hlt=101"
)
FEW = (
    "pio-read-kernel=97,pio-write-kernel=89,pio-read-user=53,pio-write-user=59,"
    "mmio-read-kernel=71,mmio-write-kernel=73,mmio-read-user=37,mmio-write-user=31,"
    "apic-read=79,cpuid=103,msr-read=107,msr-write=109,hlt=11"
)
MOVED = "pio-read-kernel=9973,pio-read-user=1999,cpuid=1997,hlt=101"
SLOW = "pio-read-user=13,pio-write-user=7,mmio-read-user=11,pio-read-kernel=97,cpuid=23,hlt=5"
FILTERED = "pio-read-kernel=401,pio-read-user=409,cpuid=419,msr-read=421"
NESTED = (1009, 503)
STRINGS = "pio-string-user=211,pio-read-user=307,pio-read-kernel=401"
BUSY_INTERVALS = 12
HALTS = 4999
HALTS_S = 120  # an unloaded machine needs a fortieth
ADDRESSES = ",".join(f"mmio-read-user@{0xD0000000 + 16 * i:#x}=3" for i in range(100))


def _counted(guest: list[str], top: list[str]) -> dict[str, Any]:
    """Count one round of a mix; return what JSON takes."""
    return _as_json(count([*guest, "--rounds", "1"], top))


def _as_json(result: Counted) -> dict[str, Any]:
    return {"guest": result.guest, "snapshots": result.snapshots}


def primes() -> dict[str, Any]:
    """Take a prime number of exits of each kind, in short intervals, under ftrace as well."""
    with leaving("primes.dat") as data, recording(EVENTS, data):
        result = count(["--mix", PRIMES, "--rounds", "1"], ["-i", "0.3"])
    return _as_json(result) | {"trace": left("primes.dat")}


def slow() -> dict[str, Any]:
    """Take exits that are slow, and some that are not, under ftrace as well."""
    threads: list[int] = []
    with TemporaryDirectory() as folder, leaving("slow.dat") as data, recording(EVENTS, data):
        path = Path(folder) / "slow.jsonl.gz"
        more = ["--blocked"] if kernel.release() >= TYPED_TASK else []
        record_slow_guest(SLOW, path, *more, during=lambda ready: threads.extend(tids(ready)))
        rows = [row for each in recorded(path) for row in each["rows"]]
        lines = subprocess.run(
            [*BPFEXIT, "slow", "--input", str(path), "-j"], check=True, stdout=subprocess.PIPE
        ).stdout
    told = [json.loads(line) for line in lines.splitlines()]
    return {"told": told, "rows": rows, "tids": threads, "trace": left("slow.dat")}


def one_by_one() -> dict[str, Any]:
    """Take every exit for a slow one, so that each is told of by itself, under ftrace as well."""
    options = ["--events", "slow", "--than", "1ns", "--rate", "1000000", "-i", "0.2"]
    with (
        leaving("one_by_one.jsonl") as path,
        leaving("one_by_one.dat") as data,
        recording(EVENTS, data),
    ):
        guest = record(["--mix", FEW, "--rounds", "1"], path, options)
    return {
        "guest": guest,
        "recording": left("one_by_one.jsonl"),
        "trace": left("one_by_one.dat"),
    }


def borders() -> dict[str, Any]:
    """Record rounds of a prime number of exits in the shortest of intervals, until borders cut."""
    with leaving("borders.jsonl") as path:
        guest = record(["--mix", PRIMES], path, ["-i", "0.1"], until=cut_by_borders)
    return {"guest": guest, "recording": left("borders.jsonl")}


def cut_by_borders(intervals: list[Snapshot]) -> bool:
    """Return whether enough intervals have exits, and one of their borders fell into an exit."""
    busy = [each for each in intervals if each.exits]
    return len(busy) > BUSY_INTERVALS and any(each.in_flight for each in busy[:-1])


def moved() -> dict[str, Any]:
    """Run two vCPUs and move their threads from CPU to CPU all the time."""
    return _moved([])


def moved_exact() -> dict[str, Any]:
    """Do the same with each access counted by its event."""
    return _moved(["--exact-io"])


def moved_filtered() -> dict[str, Any]:
    """Do the same with two reasons counted."""
    return _moved(["--reason", "io,cpuid"])


def _moved(options: list[str]) -> dict[str, Any]:
    moves: list[int] = []
    guest = ["--mix", MOVED, "--rounds", "1", "--vcpus", "2"]
    options = ["-i", "0.3", *options]
    result = count(guest, options, during=lambda ready: keep_moving(ready, moves))
    return _as_json(result) | {"moves": len(moves)}


def named() -> dict[str, Any]:
    """Count the guests of one name while another one takes exits all the time."""
    with (
        closing(live_source(Filter(guests=("wanted*",)))) as source,
        running(["--name", "other", "--mix", FEW]) as pid,
    ):
        named_guests.until_ignored(source, pid)
        before = named_guests.counted_of(source, pid)
        with named_guests.done("wanted-1", "--mix", FEW, "--rounds", "1") as guest:
            snapshot = json.loads(snapshot_json.encode(source.next()))
        of_other = named_guests.counted_of(source, pid) - before
    return {"guest": guest, "snapshots": [snapshot], "of_other": of_other}


def nested() -> dict[str, Any]:
    """Run a guest in the guest, under ftrace as well."""
    guest = [sys.executable, "-m", "tests.testbed.nested"]
    with leaving("nested.dat") as data, recording(EVENTS, data):
        result = count(list(map(str, NESTED)), ["-i", "0.3"], program=guest)
    return _as_json(result) | {"trace": left("nested.dat")}


def successive() -> dict[str, Any]:
    """Run the vCPUs of one guest after another in one thread."""
    guest = [sys.executable, "-m", "tests.testbed.successive"]
    return _as_json(count([FILTERED, "7"], ["-i", "0.3"], program=guest))


def strings() -> dict[str, Any]:
    """Read a port by string instructions."""
    return _counted(["--mix", STRINGS], [])


def strings_exact() -> dict[str, Any]:
    """Read it again, and count each access."""
    return _counted(["--mix", STRINGS], ["--exact-io"])


def by_reason() -> dict[str, Any]:
    """Count exits of two reasons only; their names are not case-sensitive."""
    names = {Isa.SVM: "CPUID,io", Isa.VMX: "cpuid,IO_instruction"}
    return _counted(["--mix", FILTERED], ["--reason", names[preflight.ready().backend.isa]])


def by_vcpu() -> dict[str, Any]:
    """Count one vCPU of two."""
    return _counted(["--mix", FILTERED, "--vcpus", "2"], ["-v", "1"])


def halts() -> dict[str, Any]:
    """Halt while the timer fires again as its handler returns."""
    guest = [sys.executable, "-m", "tests.testbed.short_timer", "testguest"]
    command = [*guest, "--mix", f"hlt={HALTS}", "--rounds", "1", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=HALTS_S)
    return {"guest": json.loads(done.stdout)}


def many() -> dict[str, Any]:
    """Touch more addresses than a vCPU's cache of rows holds."""
    return _counted(["--mix", ADDRESSES], [])


def full() -> dict[str, Any]:
    """Touch more addresses than there are rows."""
    return _counted(["--mix", ADDRESSES], ["--max-rows", "32"])


def own_cost() -> dict[str, Any]:
    """Measure meanwhile what the programs cost."""
    return _as_json(measured(preflight.ready(), ["--mix", f"{MIX},cpuid=1013", "--rounds", "1"]))


def perf() -> dict[str, Any]:
    """Let perf count the same events meanwhile."""
    guest = ["--mix", f"{MIX},cpuid=1013", "--rounds", "1"]
    result, seen = beside_perf(preflight.ready(), guest)
    return _as_json(result) | {"perf": seen}
