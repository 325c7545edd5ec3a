"""Exits a second of a guest on this machine's own KVM, without and with each tracer.

Each tracer is started once for each round and takes its turn between the others, so that
whatever else the machine does falls on all of them; a run is compared with its round's
run without tracer.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bpfexit.host import kvm
from tests.bench.report import Report, share_lost
from tests.bench.tracers import ACCESSES, EXITS, Tracer, tracers

ROUNDS = 9
DURATION_S = 1
MIX = "pio"
TIMEOUT_S = 60


@dataclass
class Runs:
    """What one tracer did: exits/s of each of its runs, exits taken and seen, or why it cannot."""

    tracer: Tracer
    rates: list[float] = field(default_factory=list)
    exits: int = 0
    seen: int = 0
    failure: str = ""


def report() -> Report:
    """Measure all tracers that work here."""
    backend = kvm.backend()
    job = EXITS if backend and backend.has_exit_events else ACCESSES
    runs = [Runs(tracer) for tracer in tracers(job)]
    for _ in range(ROUNDS):
        for each in runs:
            if not each.failure:
                _run(each)
    return Report(
        f"Throughput of a guest that reads a port served in the kernel, exits/s "
        f"({backend.module if backend else 'no KVM'}, medians of {ROUNDS} interleaved runs of "
        f"{DURATION_S} s)",
        ("tracer", "exits/s", "lowest", "highest", "of untraced", "lost"),
        [_row(each, runs[0]) for each in runs if not each.failure],
        (
            f"guest: bpfexit testguest --mix {MIX} -d {DURATION_S}",
            *(each.tracer.described(each.failure) for each in runs[1:]),
        ),
    )


def _run(runs: Runs) -> None:
    """Run the guest once under a tracer, and add what it did."""
    if not runs.tracer.there:
        runs.failure = f"{runs.tracer.tool} is not installed"
        return
    with tempfile.TemporaryDirectory() as work:
        folder, result, script = Path(work), Path(work) / "guest.json", Path(work) / "guest.sh"
        script.write_text(
            f"exec {sys.executable} -m bpfexit testguest --mix {MIX} -d {DURATION_S} -j >{result}\n"
        )
        command = runs.tracer.wrap(["/bin/sh", str(script)], folder)
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            runs.failure = f"it was not done after {TIMEOUT_S} s"
            return
        if not result.exists() or not result.stat().st_size:
            runs.failure = (
                f"it ended with {done.returncode}: {' '.join(done.stderr.split())[-200:]}"
            )
            return
        guest = json.loads(result.read_text())
        exits = sum(each["count"] for vcpu in guest["vcpus"] for each in vcpu["operations"])
        runs.rates.append(exits / guest["duration_s"])
        runs.exits += exits
        tids = {vcpu["tid"] for vcpu in guest["vcpus"]}
        if runs.tracer.seen:
            runs.seen += runs.tracer.seen(folder, tids)
            if not runs.seen:
                runs.failure = "it tells of no exit: there is no kvm_exit here"


def _row(runs: Runs, none: Runs) -> tuple[str, ...]:
    return (
        runs.tracer.name,
        f"{statistics.median(runs.rates):,.0f}",
        f"{min(runs.rates):,.0f}",
        f"{max(runs.rates):,.0f}",
        f"{of_untraced(runs.rates, none.rates):.2f}",
        share_lost(runs.exits, runs.seen) if runs.tracer.seen else "",
    )


def of_untraced(rates: list[float], bare: list[float]) -> float:
    """Return the median of what is left of each round's rate without tracer."""
    return statistics.median(rate / none for rate, none in zip(rates, bare, strict=True))
