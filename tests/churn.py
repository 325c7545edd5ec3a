"""Many tiny guests start and end while tracers count: each exit is to be counted once.

`python -m tests.churn --help`. Each guest is a process forked from this one, since a new
interpreter for each would take longer than the guest runs.
"""

import argparse
import json
import os
import signal
import subprocess
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import Mix, parse_mix, work_of
from bpfexit.testguest.session import Pace, Session, assemble_all
from tests.counting import BPFEXIT, Place, until_counting

MIX = parse_mix(
    "pio-read-kernel=17,pio-write-user=13,mmio-read-user=11,msr-read=19,apic-read=7,cpuid=2"
)
AT_ONCE = 16
"""More than the machines have CPUs, so that threads are preempted anywhere."""

Exits = Counter[tuple[int, Place]]
"""Exits by thread, and by what they were after."""


def run_guest(exits: int, mix: Mix = MIX, vcpus: int = 2) -> Exits:
    """Run a guest in this process; return what each vCPU did."""
    pace = Pace()
    with (
        Machine(assemble_all(work_of(mix, exits), vcpus, pace)) as machine,
        Session(machine.vcpus, pace) as session,
    ):
        result = session.run()
    done: Exits = Counter()
    for vcpu in result.vcpus:
        for step, count in zip(mix, vcpu.exits, strict=True):
            if step.operation.kind:
                place = Place(step.operation.kind, step.operation.access, step.address)
                done[vcpu.tid, place] += count
    return done


def fork_guest(exits: int, mix: Mix = MIX, vcpus: int = 2, stays_s: float = 0) -> tuple[int, int]:
    """Start a guest as a child; return its process and a pipe with its result.

    The process stays for some seconds after that.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            done = run_guest(exits, mix, vcpus)
            json.dump([(tid, *place, n) for (tid, place), n in done.items()], pipe)
        time.sleep(stays_s)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def churn(guests: int, at_once: int = AT_ONCE) -> Iterator[Exits]:
    """Run so many guests, as many at once; yield what each did as it has ended."""
    running: list[tuple[int, int]] = []
    for number in range(guests):
        if len(running) == at_once:
            yield ended_guest(*running.pop(0))
        running.append(fork_guest(100 + number % 7 * 50))
    for pid, reader in running:
        yield ended_guest(pid, reader)


def ended_guest(pid: int, reader: int) -> Exits:
    """Wait for a guest's end; return what it did."""
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the guest {pid} ended with {status}"
    return Counter({(tid, Place(*place)): count for tid, *place, count in json.loads(text)})


@dataclass
class Tracer:
    """A `top -j` that counts into a file."""

    process: "subprocess.Popen[str]"
    output: IO[str]
    seen: Exits = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    complaint: str = ""
    memory: list[int] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)

    def memory_kib(self) -> int:
        """Return how much memory it has now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def end(self) -> None:
        """End it and read what it counted."""
        if self.process.poll() is None:
            self.memory.append(self.memory_kib())
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate()
        if self.process.returncode != 0:
            self.complaint = said.strip().splitlines()[-1] if said.strip() else "no word"
        self.output.seek(0)
        self.snapshots = [json.loads(line) for line in self.output]
        for snapshot in self.snapshots:
            self.lost.update(snapshot["lost"])
            for row in snapshot["rows"]:
                place = Place(row["kind"], row["access"], row["address"])
                self.seen[row["tid"], place] += row["count"]

    def wrong(self, done: Exits) -> int:
        """Return how many exits it counted too few or too many of those done."""
        return sum(abs(count - self.seen[key]) for key, count in done.items())


def trace(stack: ExitStack, folder: Path, tracers: int, options: Sequence[str]) -> Iterator[Tracer]:
    """Start tracers; yield each when it counts."""
    for number in range(tracers):
        output = stack.enter_context((folder / f"{number}.jsonl").open("w+"))
        command = [*BPFEXIT, "top", "--json", *options]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True)
        stack.callback(process.kill)
        until_counting(process)
        yield Tracer(process, output)


def traced_churn(
    guests: int, tracers: int = 2, options: Sequence[str] = ("-i", "0.1")
) -> tuple[Exits, list[Tracer]]:
    """Run guests under tracers; return what all guests did, and the tracers with what they saw."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        running = list(trace(stack, folder, tracers, options))
        done: Exits = Counter()
        for number, exits in enumerate(churn(guests)):
            done.update(exits)
            if number == guests // 10:
                for tracer in running:
                    tracer.memory.append(tracer.memory_kib())
        for tracer in running:
            tracer.end()
        return done, running


def report(done: Exits, tracers: Iterable[Tracer]) -> str:
    """Say how each tracer did."""
    lines = []
    for tracer in tracers:
        state = tracer.complaint or f"{tracer.wrong(done):,} exits wrong"
        longest = max((len(json.dumps(each)) for each in tracer.snapshots), default=0)
        lines.append(
            f"{sum(done.values()):,} exits done: {state}, lost {dict(+tracer.lost)}, memory after "
            f"a tenth and at the end {tracer.memory} KiB, longest line {longest:,} characters"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the churn a few times; print how exact each tracer was."""
    parser = argparse.ArgumentParser(prog="python -m tests.churn", description=__doc__)
    parser.add_argument("--guests", type=int, default=1000)
    parser.add_argument("--times", type=int, default=6)
    parser.add_argument("--tracers", type=int, default=2)
    arguments = parser.parse_args()
    for _ in range(arguments.times):
        print(report(*traced_churn(arguments.guests, arguments.tracers)), flush=True)


if __name__ == "__main__":
    main()
