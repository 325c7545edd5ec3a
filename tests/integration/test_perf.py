"""Other users of the events: perf sees each of them while bpfexit does."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from bpfexit.host import kernel
from bpfexit.host.preflight import Ready
from bpfexit.tracer.attaching import attach, kind_of
from bpfexit.tracer.compiling import compile_text
from bpfexit.tracer.libbpf import open_libbpf
from bpfexit.tracer.maps import Map
from bpfexit.tracer.plan import Attachment
from tests.costing import ENDED, MIX, beside_perf, expected_runs
from tests.requirements import lacking

END = Attachment("sched_process_exit", classic=True, group="sched")
PROGRAM = "on_sched_process_exit"
COUNTING = """
BPF_ARRAY(runs, u64, 1);
int on_sched_process_exit(void *ctx) { runs.increment(0); return 1; }
"""


@pytest.fixture
def needs_perf() -> None:
    if not shutil.which("perf"):
        lacking("bpf", "perf is not installed (Debian: linux-perf; `make testbed` installs it)")


def test_perf_counts_what_programs_attached_the_classic_way_count(
    needs_bpf: Ready, needs_kvm: None, needs_perf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "preempts_raw_tracepoints", lambda: True)
    found, seen = beside_perf(needs_bpf, ["--mix", MIX, "--rounds", "1"])
    expected = Counter({f"kvm:{event}": count for event, count in expected_runs(found).items()})
    assert expected - seen == {}  # other guests may run on this machine
    assert seen["sched:sched_process_exit"] >= ENDED


@pytest.fixture
def attached(needs_bpf: Ready) -> Iterator[tuple[Map, int]]:
    """Attach a program that counts the ends of threads; return its map and its perf event."""
    library, bundle = open_libbpf(), compile_text(COUNTING)
    runs = Map(library, "runs", bundle.maps["runs"])
    code = bundle.programs[PROGRAM].linked({"runs": runs.fd})
    program = library.load_program(PROGRAM, kind_of(END), code)
    event = attach(library, END, program, needs_bpf.tracefs)
    yield runs, event
    for fd in (event, program, runs.fd):
        os.close(fd)


def test_a_classic_program_runs_while_its_perf_event_counts_nothing(
    attached: tuple[Map, int],
) -> None:
    runs, event = attached
    for cpu in os.sched_getaffinity(0):
        for _ in range(ENDED):
            subprocess.run(["taskset", "-c", str(cpu), "true"], check=True)
    count = int.from_bytes(runs.library.lookup(runs.fd, bytes(4), 8), "little")
    assert count >= ENDED * len(os.sched_getaffinity(0))
    assert os.read(event, 8) == bytes(8)
