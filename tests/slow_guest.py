"""A guest whose user space takes its time, and a recording of its slow exits."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bpfexit.formats.json.slow import PARTS
from tests.counting import BPFEXIT, next_line, started, until_counting, write

DELAY_US = 2000


SERVED = {0x608, 0xC050, 0xD0000000}
"""The addresses that the guest's user space serves."""


def parts(entries: Iterable[dict[str, Any]]) -> dict[str, int | None]:
    """Return how long accesses that user space serves waited and were blocked, ns.

    The entries are rows, or the slow exits that all of those accesses are. None: not measured.
    """
    served = [each for each in entries if each["address"] in SERVED]
    return {name: _sum(each.get(name) for each in served) for name in PARTS}


def _sum(ns: Iterable[int | None]) -> int | None:
    total = 0
    for each in ns:
        if each is None:
            return None
        total += each
    return total


@contextmanager
def waiting_guest(mix: str) -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
    """Yield a guest's ready line and what lets it run one round.

    Its user space takes its time over everything it is asked.
    """
    options = ["--rounds", "1", "--user-delay", str(DELAY_US), "--json", "--wait", "--linger"]
    with started([*BPFEXIT, "testguest", "--mix", mix, *options]) as machine:
        ready = json.loads(next_line(machine))

        def run() -> None:
            write(machine, "\n")
            next_line(machine)

        yield ready, run
        machine.communicate()


def record_slow_guest(
    mix: str,
    path: Path,
    *more: str,
    during: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Record what takes as long as user space sleeps, in short intervals, to the file."""
    options = ["--events", "slow", "--than", f"{DELAY_US}us", "-i", "0.1", "-o", str(path), *more]
    with waiting_guest(mix) as (ready, run):
        command = [*BPFEXIT, "record", *options, "-p", str(ready["pid"])]
        with started(command, stderr=subprocess.PIPE) as recorder:
            until_counting(recorder)
            if during:
                during(ready)
            run()
            recorder.send_signal(signal.SIGINT)
            _, said = recorder.communicate()
            assert recorder.returncode == 0, said
