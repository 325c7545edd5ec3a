"""The CPU time that reading takes what guests take of their host, per interval."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bpfexit.guests import process_usage
from bpfexit.guests.usage import UsageReader
from bpfexit.model.guest import Identity
from tests.bench.report import Report

GUESTS, THREADS = 50, 12
INTERVALS = 40
_GUEST = """\
import threading, time
for _ in range({others}):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(flush=True)
time.sleep(600)
"""


def report() -> Report:
    """Return the CPU time of a reading with files kept open, without, and with everything."""
    with _guests() as guests:
        rows = [
            ("with their files kept open", _ms(guests)),
            ("with 16 files kept open", _ms(guests, most_files=64)),
            ("with names, cgroups and affinities (every 10 s)", _ms(guests, look_s=0.0)),
        ]
    return Report(
        f"Reading what {GUESTS} guests of {THREADS} threads each take of the host",
        ("reading", "CPU, ms"),
        rows,
        (f"medians of {INTERVALS} readings; processes of sleeping threads stand for the guests",),
    )


@contextmanager
def _guests() -> Iterator[list[Identity]]:
    """Run processes with as many threads as a small guest has."""
    code = _GUEST.format(others=THREADS - 1)
    with ExitStack() as stack:
        guests = []
        for _ in range(GUESTS):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            assert process.stdout
            process.stdout.readline()
            guests.append(Identity(process.pid))
        yield guests


def _ms(guests: list[Identity], most_files: int = 0, look_s: float | None = None) -> str:
    usual, limits = process_usage.LOOK_S, resource.getrlimit(resource.RLIMIT_NOFILE)
    process_usage.LOOK_S = usual if look_s is None else look_s
    try:
        if most_files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, limits[1]))
        reader = UsageReader()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        known = {guest: (str(guest.pid), (guest.pid,)) for guest in guests}
        for _ in range(3):
            reader.read(known)
        took = []
        for _ in range(INTERVALS):
            begun = time.process_time()
            reader.read(known)
            took.append(time.process_time() - begun)
        reader.close()
    finally:
        process_usage.LOOK_S = usual
    return f"{1000 * statistics.median(took):.1f}"
