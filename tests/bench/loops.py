"""Loops of exits: how long one takes, in a process of our own, so that one start serves them all.

`python -m tests.bench.loops FILE [switches]` runs each loop and writes what it took to FILE: with
`switches`, also what a switch from one task to another takes, neither of which is a vCPU.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import parse_mix, work_of
from bpfexit.testguest.session import Pace, Session, assemble_all


@dataclass(frozen=True)
class Loop:
    """A mix of the guest's, and the exits of a long run; a short one has a ninth of them."""

    name: str
    mix: str
    long: int

    @property
    def short(self) -> int:
        """Exits of a short run."""
        return self.long // 9


@dataclass(frozen=True)
class Taken:
    """What a loop took: `per_exit_ns` without start and end; of all runs, exits and threads."""

    per_exit_ns: float
    exits: int
    tids: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """A guest of one vCPU: how long it took, and its thread."""

    ns: float
    tid: int


# A mixed guest never halts here: what it idles is no cost.
MIXED = "pio-read-user=300,apic-read=150,pio-read-kernel=60,msr-write=40,mmio-read-user=20,cpuid=10"

LOOPS = (
    Loop("port, kernel", "pio-read-kernel", 45_000),
    Loop("port, user", "pio-read-user", 9_000),
    Loop("MMIO, kernel", "mmio-read-kernel", 27_000),
    Loop("MMIO, user", "mmio-read-user", 9_000),
    Loop("CPUID", "cpuid", 45_000),
    Loop("mixed", MIXED, 9_000),
)


def take(loop: Loop) -> Taken:
    """Run a loop five times.

    The difference of a long and a short run is what exits alone take; one short
    run before them warms caches, among them a tracer's. Of two runs the shorter one counts:
    another task that runs on the CPU meanwhile, for some ms now and then, only adds.
    """
    lengths = (loop.short, loop.short, loop.short, loop.long, loop.long)
    runs = [run(loop, exits) for exits in lengths]
    _, *short, long, again = (each.ns for each in runs)
    per_exit_ns = (min(long, again) - min(short)) / (loop.long - loop.short)
    return Taken(per_exit_ns, sum(lengths), tuple(each.tid for each in runs))


def run(loop: Loop, exits: int) -> Run:
    """Run a guest for so many exits."""
    pace = Pace()
    with (
        Machine(assemble_all(work_of(parse_mix(loop.mix), exits), 1, pace)) as machine,
        Session(machine.vcpus, pace) as session,
    ):
        result = session.run()
        return Run(result.duration_s * 1e9, result.vcpus[0].tid)


SWITCHES = 18_000


def take_switches() -> Taken:
    """Do the same with switches between two processes."""
    lengths = (SWITCHES // 9, SWITCHES // 9, SWITCHES, SWITCHES)
    _, short, long, again = (switched(switches) for switches in lengths)
    return Taken((min(long, again) - short) / (lengths[-1] - lengths[0]), 0, ())


def switched(switches: int) -> float:
    """Return how long two processes on one CPU take that hand a byte back and forth, ns."""
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        for _ in range(switches // 2):
            os.write(to_parent[1], os.read(to_child[0], 1))
        os._exit(0)
    begun = time.perf_counter_ns()
    for _ in range(switches // 2):
        os.write(to_child[1], b"0")
        os.read(to_parent[0], 1)
    took = time.perf_counter_ns() - begun
    os.waitpid(child, 0)
    for end in (*to_child, *to_parent):
        os.close(end)
    return took


if __name__ == "__main__":
    taken = {loop.name: take(loop) for loop in LOOPS}
    if "switches" in sys.argv[2:]:
        taken["other switch"] = take_switches()
    Path(sys.argv[1]).write_text(json.dumps({name: asdict(each) for name, each in taken.items()}))
