"""Run the guest while bpfexit's own cost is measured, or perf counts, with nothing else then."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.guests.guests import Guests
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.tracer.plan import DEFAULT_VIEWS, access_record_fields
from bpfexit.tracer.source import KernelSource
from tests.counting import BPFEXIT, CONTROL_PORT, Counted, Place, next_line, started, write
from tests.perf_stat import counting

MIX = (
    "pio-read-kernel=997,pio-write-kernel=1009,pio-read-user=503,pio-write-user=509,"
    "mmio-read-kernel=701,mmio-write-kernel=709,mmio-read-user=307,mmio-write-user=311,"
    "msr-read=1019,msr-write=1021"
)


PERF_EVENTS = (
    *(f"kvm:{event}" for event in access_record_fields(DEFAULT_VIEWS)),
    "sched:sched_process_exit",
)
"""Events whose programs are attached the classic way on some kernel, on every back end."""

ENDED = 7


def measured(ready: Ready, guest: Sequence[str]) -> Counted:
    """Start the guest, attach, and measure while it runs to its end; of all guests there are."""
    return _observed(ready, guest, lambda source: source.measuring_cost())


def beside_perf(ready: Ready, guest: Sequence[str]) -> tuple[Counted, Counter[str]]:
    """Do the same while perf counts, and while `ENDED` processes end."""
    exits = ("kvm:kvm_exit", "kvm:kvm_entry") if ready.backend.has_exit_events else ()
    seen: Counter[str] = Counter()
    found = _observed(ready, guest, lambda _: _counted_by_perf((*PERF_EVENTS, *exits), seen))
    return found, seen


@contextmanager
def _counted_by_perf(events: Sequence[str], seen: Counter[str]) -> Iterator[None]:
    with TemporaryDirectory() as folder, counting(events, Path(folder) / "perf.csv") as counts:
        yield
        for _ in range(ENDED):
            subprocess.run(["true"], check=True)
    seen.update(counts)


def _observed(
    ready: Ready,
    guest: Sequence[str],
    during: Callable[[KernelSource], AbstractContextManager[object]],
) -> Counted:
    """Start the guest, attach, and let it run to its end within a context of the source's."""
    with started([*BPFEXIT, "testguest", "--json", "--wait", "--linger", *guest]) as machine:
        next_line(machine)
        with closing(KernelSource(ready.backend, ready.tracefs, Filter(), Guests())) as source:
            with during(source):
                write(machine, "\n")
                result = json.loads(next_line(machine))
            snapshot = source.next()
        machine.communicate()
    return Counted(result, [json.loads(snapshot_json.encode(snapshot))])


def runs(counted: Counted) -> Counter[str]:
    """Return how often each program ran, by event."""
    (snapshot,) = counted.snapshots
    programs = snapshot["cost"]["programs"]["programs"]
    return Counter({each["event"]: each["runs"] for each in programs})


def expected_runs(counted: Counted) -> Counter[str]:
    """Return how often the programs of accesses must have run, by what the guest says it did.

    A read of MMIO that user space answers fires twice. Each round ends with
    writes of the control port, which are no operations; as the window ends, the
    last of them may still be in flight, and so not yet counted.
    """
    in_flight = sum(snapshot["in_flight"] for snapshot in counted.snapshots)
    control = counted.places()[Place("pio", "write", CONTROL_PORT)]
    total = Counter({"kvm_pio": control + in_flight})
    for each in counted.operations():
        if each["kind"]:
            twice = each["kind"] == "mmio" and each["access"] == "read" and each["served"] == "user"
            total[f"kvm_{each['kind']}"] += each["count"] * (2 if twice else 1)
    return total
