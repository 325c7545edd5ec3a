"""Scenarios of the session inside: where the time of vCPUs goes, beside the scheduler's account."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bpfexit.guests.guests import Guests
from bpfexit.host import debugfs, kernel, preflight
from bpfexit.model.filter import Filter
from bpfexit.model.vcpu_parts import PARTS
from bpfexit.tracer.host_plan import TYPED_TASK
from bpfexit.tracer.source import KernelSource
from tests.counting import BPFEXIT, GUEST, count, tids
from tests.ftrace import recording
from tests.testbed.truth import leaving, left

ROUND = "pio-read-kernel=97,pio-read-user=53,cpuid=503,hlt=11"
STEP_S = 0.1
READINGS, FEW_READINGS = 40, 13


@contextmanager
def hogs() -> Iterator[None]:
    """Keep every CPU busy with a process of its own."""
    busy = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(busy) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in processes:
            each.kill()
            each.wait()


@contextmanager
def guest(*options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """Run a guest that waits for its start; yield what it says of itself, and its process."""
    with subprocess.Popen(
        [*GUEST, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            process.terminate()


def start(process: subprocess.Popen[str]) -> None:
    """Let the guest run."""
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def accounts() -> dict[str, Any]:
    """Return the account of two vCPUs that lack a CPU."""
    return _accounts(READINGS)


def _accounts(times: int) -> dict[str, Any]:
    """Run two vCPUs beside as many busy processes as there are CPUs.

    Returns the counters of each vCPU time and again, and the scheduler's accounts before and
    after each reading; and the sums of all intervals beside the counters at the end.
    """
    ready = preflight.ready()
    source = KernelSource(ready.backend, ready.tracefs, Filter(), Guests())
    readings = []
    with closing(source), hogs(), guest("--mix", ROUND, "--vcpus", "2") as (about, process):
        rows, parts = _Rows(), _Parts()
        start(process)
        for _ in range(times):
            time.sleep(STEP_S)
            readings.append(_reading(source, about["pid"]))
            snapshot = source.next()
            rows.add(snapshot)
            parts.add(snapshot)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        process.stdout.readline()
        time.sleep(STEP_S)
        readings.append(_reading(source, about["pid"]))
        last = source.next()
        rows.add(last)
        parts.add(last)
    return {"readings": readings, "rows": rows.total, "parts": parts.total}


def preempted() -> dict[str, Any] | None:
    """Do the same on a kernel that is preempted anywhere; None where it cannot be made to."""
    model = debugfs.find_or_mount() / "sched/preempt"
    if not model.exists():
        return None
    (usual,) = re.findall(r"\((\w+)\)", model.read_text())
    model.write_text("full")
    try:
        return _accounts(FEW_READINGS)
    finally:
        model.write_text(usual)


def _reading(source: KernelSource, pid: int) -> dict[str, Any]:
    before = _run_delays(pid)
    return {"before": before, "vcpus": _vcpus(source), "after": _run_delays(pid)}


class _Rows:
    """Time of all exits by thread, ns."""

    def __init__(self) -> None:
        self.total: dict[int, int] = {}

    def add(self, snapshot: Any) -> None:
        for tid, ns in snapshot.rows.fields[["tid", "total_ns"]].tolist():
            self.total[tid] = self.total.get(tid, 0) + ns


class _Parts:
    """The parts of each vCPU's time by thread, ns, and in how many intervals it was seen."""

    def __init__(self) -> None:
        self.total: dict[int, list[int]] = {}

    def add(self, snapshot: Any) -> None:
        for tid, *parts in snapshot.vcpus[["tid", *PARTS]].tolist():
            before = self.total.get(tid, [0] * len(PARTS))
            self.total[tid] = [a + b for a, b in zip(before, parts, strict=True)]


BLOCKING = "pio-read-user=101,mmio-read-user=53,pio-read-kernel=89,cpuid=97,hlt=7"
BLOCKED_US = 2000
BLOCKED_EVENTS = ("kvm_exit", "kvm_entry", "kvm_fpu", "sched/sched_switch", "sched/sched_wakeup")


def blocked() -> dict[str, Any]:
    """Sleep in each access that user space serves, beside busy processes, under ftrace as well.

    Also returns the scheduler's account of the vCPU's thread before and after: on a CPU, waiting.
    """
    accounts: list[tuple[int, int]] = []

    def note(ready: dict[str, Any]) -> Callable[[], None]:
        (tid,) = tids(ready)
        accounts.append(_schedstat(ready["pid"], tid))
        return lambda: accounts.append(_schedstat(ready["pid"], tid))

    if kernel.release() < TYPED_TASK:
        return {"refused": _refusal("--blocked")}
    guest = ["--mix", BLOCKING, "--rounds", "1", "--user-delay", str(BLOCKED_US)]
    # Else it would have a CPU as soon as it is awake.
    last = ["nice", "-n", "19", *GUEST]
    with leaving("blocked.dat") as data, recording(BLOCKED_EVENTS, data), hogs():
        result = count(guest, ["--blocked", "-i", "0.5"], during=note, program=last)
    return {
        "guest": result.guest,
        "snapshots": result.snapshots,
        "schedstat": accounts,
        "trace": left("blocked.dat"),
    }


def _schedstat(pid: int, tid: int) -> tuple[int, int]:
    """Return fields 1 and 2 of a thread's schedstat: ns on a CPU, ns waiting for one."""
    on_cpu, waited, _ = Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()
    return int(on_cpu), int(waited)


def _refusal(*options: str) -> str:
    command = [*BPFEXIT, "top", "-b", *options, "1", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stderr}"


def _run_delays(pid: int) -> dict[int, int]:
    """Return field 2 of each thread's schedstat."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return {int(path.parent.name): int(path.read_text().split()[1]) for path in threads}


def _vcpus(source: KernelSource) -> dict[int, dict[str, int]]:
    """Return the counters of each vCPU as the kernel has them."""
    vcpus = source._counters.vcpus()
    names = [name for name in vcpus.dtype.names or () if vcpus.dtype[name].shape == ()]
    seen = vcpus[names][vcpus["owner"] != 0]
    signed = {"guest_ns"}
    return {
        int(each["owner"]) & 0xFFFFFFFF: {
            name: int(each[name].astype(np.int64) if name in signed else each[name])
            for name in names
        }
        for each in seen
    }
