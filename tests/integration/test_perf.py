"""Other users of the events: perf sees each of them while bpfexit does."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bpfexit.host import kernel
from bpfexit.host.preflight import Ready
from bpfexit.tracer.attaching import attach, detach
from bpfexit.tracer.binding import import_bcc
from bpfexit.tracer.compiler import shielded
from bpfexit.tracer.plan import Attachment
from tests.costing import ENDED, MIX, beside_perf, expected_runs
from tests.requirements import lacking

END = Attachment("sched_process_exit", classic=True, group="sched")
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
def attached(needs_bpf: Ready) -> Iterator[Any]:
    """Attach a program that counts the ends of threads; return bcc's object."""
    with shielded():
        bpf = import_bcc().BPF(text=COUNTING)
    attach(bpf, END)
    yield bpf
    detach(bpf, END)
    bpf.cleanup()


def test_a_classic_program_runs_while_its_perf_event_samples_nothing(attached: Any) -> None:
    perf_event = attached.tracepoint_fds[END.full_name.encode()]
    before = os.read(perf_event, 8)
    for _ in range(ENDED):
        subprocess.run(["taskset", "-c", "0", "true"], check=True)  # the CPU that bcc samples
    assert attached["runs"][0].value >= ENDED
    assert os.read(perf_event, 8) == before
