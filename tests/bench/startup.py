"""How long `bpfexit top` takes to start, and where that time goes."""

import json
import os
import statistics
import subprocess
import sys
import time

from tests.bench.report import Report

RUNS = 9


def report() -> Report:
    """Return median and worst time to attached programs and to the first table, by parts."""
    inside = [_parts() for _ in range(RUNS)]
    times = {name: [run[name] for run in inside] for name in inside[0]}
    times["process start to programs attached"] = [_attached_s() for _ in range(RUNS)]
    times["process start to first table"] = [_first_table_s() for _ in range(RUNS)]
    return Report(
        "Start of `bpfexit top`, s",
        ("to, or of it", "median", "worst"),
        [(name, f"{statistics.median(t):.3f}", f"{max(t):.3f}") for name, t in times.items()],
        (
            f"{RUNS} runs; attached: the line `counting on`; first table: on a terminal, after a "
            "first interval of 0.5 s at most",
            "parts: wall time of the functions, in a process of its own; clang is bcc's compiler",
        ),
    )


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
