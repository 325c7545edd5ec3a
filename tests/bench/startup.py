"""How long `bpfexit top` takes from its start to attached programs and to the first table, here."""

import os
import statistics
import subprocess
import sys
import time

RUNS = 7


def attached_s() -> float:
    """Return the time to the line that says the programs are attached, s."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "bpfexit", "top", "-j"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as top:
        assert top.stderr
        top.stderr.readline()
        took = time.perf_counter() - begun
        top.terminate()
        top.communicate()
    return took


def first_table_s() -> float:
    """Return the time to the first table on a terminal, s."""
    begun = time.perf_counter()
    pid, terminal = os.forkpty()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-m", "bpfexit", "top"])  # noqa: S606
    seen = b""
    while b"lost:" not in seen:
        seen += os.read(terminal, 65536)
    took = time.perf_counter() - begun
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


def rows() -> list[tuple[str, float, float]]:
    """Return what was measured: its name, median and worst of the runs, s."""
    measured = []
    for name, run in (("programs attached", attached_s), ("first table", first_table_s)):
        times = [run() for _ in range(RUNS)]
        measured.append((name, statistics.median(times), max(times)))
    return measured
