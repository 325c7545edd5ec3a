"""How long `bpfexit top` takes to start, and where that time goes."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from bpfexit.tracer import cache
from tests.bench.report import Report

RUNS = 9


def report() -> Report:
    """Return median and worst time to attached programs and to the first table, by parts."""
    first, later = _times(_empty_cache), _times(lambda: None)
    return Report(
        "Start of `bpfexit top`, s",
        ("to, or of it", "first: median", "worst", "later: median", "worst"),
        [(name, *_shown(first[name]), *_shown(later[name])) for name in first],
        (
            f"{RUNS} runs; first: nothing is compiled yet; later: {cache.FOLDER} has it; attached: "
            "the line `counting on`; first table: on a terminal, after an interval of 0.5 s at "
            "most",
            "parts: wall time of the functions, in a process of its own",
        ),
    )


def _shown(times: list[float]) -> tuple[str, str]:
    return f"{statistics.median(times):.3f}", f"{max(times):.3f}"


def _times(prepare: Callable[[], None]) -> dict[str, list[float]]:
    """Return the times of all runs by part; `prepare` comes before each run."""
    times: dict[str, list[float]] = {}
    for _ in range(RUNS):
        prepare()
        found = _parts()
        prepare()
        found["process start to programs attached"] = _attached_s()
        prepare()
        found["process start to first table"] = _first_table_s()
        for name, seconds in found.items():
            times.setdefault(name, []).append(seconds)
    return times


def _empty_cache() -> None:
    shutil.rmtree(cache.FOLDER, ignore_errors=True)


def _parts() -> dict[str, float]:
    """Return what each part takes, s, in a fresh process."""
    command = [sys.executable, "-m", "tests.bench.starting", str(time.monotonic())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    parts: dict[str, float] = json.loads(done.stdout)
    return parts


def _attached_s() -> float:
    """Return the time to the line that says the programs are attached, s."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "bpfexit", "top", "-j"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as top:
        assert top.stderr
        while b"counting on" not in top.stderr.readline():
            pass
        took = time.monotonic() - begun
        top.terminate()
        top.communicate()
    return took


def _first_table_s() -> float:
    """Return the time to the first table on a terminal, s."""
    begun = time.monotonic()
    pid, terminal = os.forkpty()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-m", "bpfexit", "top"])  # noqa: S606
    seen = b""
    while b"lost:" not in seen:
        seen += os.read(terminal, 65536)
    took = time.monotonic() - begun
    os.write(terminal, b"q")
    _drain(terminal)
    os.waitpid(pid, 0)
    return took


def _drain(terminal: int) -> None:
    """Read what is left: a child that cannot write does not end."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        return
