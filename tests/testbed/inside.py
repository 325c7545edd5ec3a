"""The session inside the guest: every scenario once, its results as JSON for the tests outside.

A boot costs seconds, so a kernel is booted once for many scenarios: `python -m
tests.testbed.inside FOLDER NAME...` runs those of these names, and writes a file
of each, NAME.json; the tests assert on what it says. A scenario is a function that
returns JSON. One that fails takes no other with it.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.testbed import diagnoses, exits, exported, intel, starts, starved, times, views

TRACEFS = Path("/sys/kernel/tracing")

SCENARIOS: dict[str, Callable[[], Any]] = {}


def scenario(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register the function as a scenario of the session."""
    SCENARIOS[function.__name__] = function
    return function


@scenario
def machine() -> dict[str, Any]:
    """Say what was booted."""
    return {
        "release": os.uname().release,
        "kvm_device": Path("/dev/kvm").is_char_device(),
        "modules": [line.split()[0] for line in Path("/proc/modules").read_text().splitlines()],
        "checkout": Path.cwd().joinpath("pyproject.toml").is_file(),
        "checks": [json.loads(line) for line in _bpfexit("doctor", "-j").splitlines()],
    }


@scenario
def ftrace() -> dict[str, Any]:
    """Count a guest's events by ftrace, which knows nothing of bpfexit."""
    events = ("kvm_exit", "kvm_entry", "kvm_pio")
    guest = _bpfexit(
        "testguest", "--mix", "pio-read-kernel=997", "--rounds", "1", "-j", trace=events
    )
    lines = (TRACEFS / "trace").read_text().splitlines()
    counts = {event: sum(f" {event}: " in line for line in lines) for event in events}
    reads = sum("kvm_pio: pio_read at 0x21 " in line for line in lines)
    return {"guest": json.loads(guest), "counts": counts, "reads_of_0x21": reads}


for each in (
    exits.borders,
    exits.moved,
    exits.moved_exact,
    exits.moved_filtered,
    exits.named,
    exits.nested,
    exits.successive,
    exits.strings,
    exits.strings_exact,
    exits.by_reason,
    exits.by_vcpu,
    exits.halts,
    exits.many,
    exits.full,
    exits.slow,
    exits.own_cost,
    exits.perf,
    starts.starts,
    views.events,
    views.views,
    views.more_views,
    views.halts_viewed,
    times.accounts,
    times.preempted,
):
    scenario(each)

TIMED = {
    each.__name__: each
    for each in (exits.primes, exits.one_by_one, diagnoses.diagnosed, times.blocked)
}
"""Scenarios whose latencies or rates are looked at: for a machine that counts instructions."""

STARVED = {
    each.__name__: each
    for each in (starved.hog, starved.quota_v2, starved.quota_v1, starved.swapped)
}
"""Scenarios that need a disk to swap to."""

INTEL = {
    each.__name__: each
    for each in (intel.apic, intel.real_mode, intel.refused, intel.notify, intel.registers)
}
"""Scenarios of what only Intel's KVM does."""

FLEET = {exported.exported.__name__: exported.exported}
"""What takes a real Prometheus."""

KNOWN = SCENARIOS | TIMED | STARVED | INTEL | FLEET


def _bpfexit(*arguments: str, trace: tuple[str, ...] = ()) -> str:
    """Run bpfexit while ftrace records the events; return its standard output."""
    (TRACEFS / "buffer_size_kb").write_text("16384")
    (TRACEFS / "trace").write_text("")
    for event in trace:
        (TRACEFS / "events/kvm" / event / "enable").write_text("1")
    try:
        return subprocess.run(
            [sys.executable, "-m", "bpfexit", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
        ).stdout
    finally:
        (TRACEFS / "events/kvm/enable").write_text("0")


def _outcome(function: Callable[[], Any]) -> dict[str, Any]:
    begun = time.monotonic()
    try:
        outcome = {"result": function()}
    except Exception:  # the tests show it
        outcome = {"error": traceback.format_exc()}
    return outcome | {"seconds": time.monotonic() - begun}


def main(folder: str, names: list[str]) -> None:
    """Run the scenarios and write the outcome of each to a file in the folder."""
    for name in names:
        outcome = _outcome(KNOWN[name])
        print(f"{name}: {outcome['seconds']:.1f} s", flush=True)
        Path(folder, f"{name}.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
