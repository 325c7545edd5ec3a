"""Run the guest under `bpfexit top -j`, both as a person would, and compare what they say."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.recording.reader import RecordingSource

BPFEXIT = (sys.executable, "-m", "bpfexit")
GUEST = (*BPFEXIT, "testguest", "--json", "--wait", "--linger")
CONTROL_PORT = 0xF4
HLT_TIMER_REGISTERS = (0xFEE00380, 0xFEE000B0)
"""What a halt takes besides: the timer's initial count and the end of interrupt."""

PATIENCE_S = 300.0
"""How long to wait for what comes at once on a machine that does nothing else."""

_LOOK_S = 0.1
"""From one look at a recording that is being written to the next."""


class Place(NamedTuple):
    """What an exit was after; all None when it was after nothing."""

    kind: str | None
    access: str | None
    address: int | None


@dataclass(frozen=True)
class Counted:
    """What the guest says it did, and the lines `top -j` printed meanwhile."""

    guest: dict[str, Any]
    snapshots: list[dict[str, Any]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of all intervals."""
        return [row for snapshot in self.snapshots for row in snapshot["rows"]]

    @property
    def lost(self) -> Counter[str]:
        """All losses together; empty when nothing was lost."""
        total: Counter[str] = Counter()
        for snapshot in self.snapshots:
            total.update(snapshot["lost"])
        return +total

    def places(self, rows: Iterable[dict[str, Any]] | None = None) -> Counter[Place]:
        """Count exits by what they were after."""
        total: Counter[Place] = Counter()
        for row in self.rows if rows is None else rows:
            total[Place(row["kind"], row["access"], row["address"])] += row["count"]
        return total

    def reasons(self) -> Counter[str]:
        """Count exits by reason."""
        total: Counter[str] = Counter()
        for row in self.rows:
            total[row["reason"]] += row["count"]
        return total

    def done(self) -> Counter[Place]:
        """Return what the guest says it was after, all its vCPUs together."""
        total: Counter[Place] = Counter()
        for operation in self.operations():
            if operation["kind"]:
                place = Place(operation["kind"], operation["access"], operation["address"])
                total[place] += operation["count"]
        return total

    def operations(self) -> list[dict[str, Any]]:
        """Return the guest's operations, of all vCPUs."""
        return [each for vcpu in self.guest["vcpus"] for each in vcpu["operations"]]


def count(
    guest: Sequence[str],
    top: Sequence[str] = (),
    *,
    during: Callable[[dict[str, Any]], object] | None = None,
    program: Sequence[str] = GUEST,
) -> Counted:
    """Start the guest, attach `top -j`, let the guest run to its end, end top by Ctrl-C.

    `during` is called with the guest's ready line when both are set up, and
    what it returns is called, if it can be, when the guest has ended. `program`
    is what runs the guest; it keeps to the lines of `bpfexit testguest`.
    """
    result, output = under(["top", "--json", *top], [*program, *guest], during)
    return Counted(result, [json.loads(line) for line in output.splitlines()])


def count_events(guest: Sequence[str], options: Sequence[str] = ()) -> Counted:
    """Do the same with `events -j`."""
    result, output = under(["events", "--json", *options], [*GUEST, *guest])
    return Counted(result, [json.loads(line) for line in output.splitlines()])


def events_by_source(result: Counted) -> dict[tuple[str, str], int]:
    """Add up the counts of all intervals, by source and event."""
    total: Counter[tuple[str, str]] = Counter()
    for interval in result.snapshots:
        for each in interval["events"]:
            total[each["source"], each["event"]] += each["count"] or 0
    return dict(total)


def record(
    guest: Sequence[str],
    path: Path,
    options: Sequence[str],
    *,
    until: Callable[[list[Snapshot]], bool] | None = None,
) -> dict[str, Any]:
    """Do the same with `record` into a file; return what the guest says it did.

    With `until` the guest goes on until that holds for the intervals recorded so far, and ends
    at the end of its round: however slow the machine is, the recording has what a test needs.
    """

    def enough(machine: subprocess.Popen[str]) -> None:
        while until and not until(intervals_so_far(path)) and machine.poll() is None:
            time.sleep(_LOOK_S)
        if until:
            machine.send_signal(signal.SIGINT)

    tracer = ["record", "-o", str(path), *options]
    result, _ = under(tracer, [*GUEST, *guest], meanwhile=enough)
    return result


def intervals_so_far(path: Path) -> list[Snapshot]:
    """Return the intervals of a recording that is being written; none when it has none yet."""
    try:
        source = RecordingSource(path, Filter())
    except BpfexitError:
        return []
    return list(iter(source.next, None))


def recorded(path: Path) -> list[dict[str, Any]]:
    """Return the intervals of a recording, as JSON."""
    source = RecordingSource(path, Filter())
    found = [json.loads(snapshot_json.encode(each)) for each in iter(source.next, None)]
    assert source.cut is None
    return found


def under(
    tracer: Sequence[str],
    guest: Sequence[str],
    during: Callable[[dict[str, Any]], object] | None = None,
    meanwhile: Callable[[subprocess.Popen[str]], object] | None = None,
) -> tuple[dict[str, Any], str]:
    """Run the guest under a command of bpfexit; return its result and what that printed.

    `during` is called before the guest starts, `meanwhile` with its process when it has.
    """
    with started(guest) as machine:
        ready = json.loads(next_line(machine))
        command = [*BPFEXIT, *tracer, "-p", str(ready["pid"])]
        # A pipe that nobody reads for a while would keep it from its end.
        with (
            TemporaryFile("w+") as output,
            started(command, stdout=output, stderr=subprocess.PIPE) as running,
        ):
            until_counting(running)
            after = during(ready) if during else None
            write(machine, "\n")
            if meanwhile:
                meanwhile(machine)
            result = json.loads(next_line(machine))
            if callable(after):
                after()
            running.send_signal(signal.SIGINT)
            _, said = running.communicate()
            assert running.returncode == 0, f"{tracer} ended with {running.returncode}: {said}"
            output.seek(0)
            printed = output.read()
        machine.communicate()
    return result, printed


def tids(ready: dict[str, Any]) -> list[int]:
    """Return the vCPU threads that the guest's ready line tells of."""
    return [vcpu["tid"] for vcpu in ready["vcpus"]]


def keep_moving(ready: dict[str, Any], moves: list[int]) -> Callable[[], None]:
    """Move the vCPU threads from CPU to CPU until the returned function is called."""
    stop = threading.Event()

    def move() -> None:
        for cpu in itertools.cycle(sorted(os.sched_getaffinity(0))):
            if stop.wait(0.001):
                return
            for tid in tids(ready):
                os.sched_setaffinity(tid, {cpu})
                moves.append(tid)

    thread = threading.Thread(target=move)
    thread.start()

    def settle() -> None:
        stop.set()
        thread.join()

    return settle


def started(
    command: Sequence[str],
    stderr: int | None = None,
    *,
    stdout: int | IO[str] = subprocess.PIPE,
    without_terminal: bool = False,
) -> subprocess.Popen[str]:
    """Start a command with pipes for its input and output."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        text=True,
        start_new_session=without_terminal,
    )


@contextmanager
def running(options: Sequence[str]) -> Iterator[int]:
    """Run the guest, which makes exits from the start on; yield its pid."""
    with started([*GUEST, *options]) as machine:
        next_line(machine)
        write(machine, "\n")
        try:
            yield machine.pid
        finally:
            machine.terminate()


def next_line(process: subprocess.Popen[str]) -> str:
    """Return the next line it prints."""
    assert process.stdout
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended without a word"
    return line


def write(process: subprocess.Popen[str], text: str) -> None:
    """Send it some input."""
    assert process.stdin
    process.stdin.write(text)
    process.stdin.flush()


def until_counting(tracer: subprocess.Popen[str]) -> None:
    """Wait for the line that says the programs are attached."""
    assert tracer.stderr
    said = []
    for line in tracer.stderr:
        said.append(line)
        if "counting on" in line:
            return
    raise AssertionError(f"it did not start: {''.join(said)}")
