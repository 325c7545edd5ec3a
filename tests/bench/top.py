"""The share of a core that the live screen takes, on a terminal, with real guests."""

import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bpfexit.guests.guests import has_guest
from tests.bench.report import Report
from tests.counting import BPFEXIT

TOP_S, RUNS = 20, 3
WIDTH, LINES = 120, 50
ADDRESSES = 96
"""Addresses that the guest of the first row reads; with its other exits, some 100 rows."""

GUESTS = 50
MIX_OF_MANY = "pio-read-user,pio-read-kernel,mmio-read-user"

_ASK, _ANSWER = b"\x1b[5n", b"\x1b[0n"
"""What a terminal is asked, and how it answers when it has taken everything before."""


def report() -> Report:
    """Return the share with many rows of one guest, and with many guests."""
    mix = ",".join(f"pio-read-user@{0x1000 + 4 * key:#x}" for key in range(ADDRESSES))
    return Report(
        "The live screen at 1 s, % of a core",
        ("guests", "rows", "user and system"),
        [
            ("1", f"{ADDRESSES}", _share([mix], 2000)),
            (f"{GUESTS}", f"{GUESTS * 4}", _share([MIX_OF_MANY] * GUESTS, 20)),
        ],
        (
            f"`bpfexit top -p PID,…` on a terminal of {WIDTH}x{LINES} for {TOP_S} s, a few seconds "
            f"after its start; all its threads, from schedstat; median of {RUNS}",
            f"the {GUESTS} guests are as many processes `bpfexit testguest --rate 20`",
        ),
    )


def _share(mixes: Sequence[str], rate: int) -> str:
    """Return the share that `top` takes of these guests, with so many exits per second each."""
    with _guests(mixes, rate) as pids:
        return f"{statistics.median(top_share(pids) for _ in range(RUNS)):.2f}"


@contextmanager
def _guests(mixes: Sequence[str], rate: int) -> Iterator[list[int]]:
    """Yield the processes of guests that are running."""
    running = [
        subprocess.Popen(
            [*BPFEXIT, "testguest", "--mix", mix, "--rate", str(rate)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for mix in mixes
    ]
    try:
        while not all(has_guest(guest.pid) for guest in running):
            time.sleep(0.1)
        yield [guest.pid for guest in running]
    finally:
        for guest in running:
            guest.terminate()
        for guest in running:
            guest.wait()


def top_share(pids: Sequence[int]) -> float:
    """Run the live screen for a while; return the share of a core it takes, %."""
    top, terminal = os.forkpty()
    if not top:
        os.environ.update(LINES=str(LINES), COLUMNS=str(WIDTH), TERM="xterm-256color")
        os.execv(sys.executable, [*BPFEXIT, "top", "-p", ",".join(map(str, pids))])  # noqa: S606
    _show(terminal, 5)
    begun, cpu_ns = time.monotonic(), _cpu_ns(top)
    _show(terminal, TOP_S)
    share = (_cpu_ns(top) - cpu_ns) / (time.monotonic() - begun) / 1e7
    os.write(terminal, b"q")
    _show(terminal, 1)
    os.close(terminal)
    os.waitpid(top, 0)
    return share


def _show(terminal: int, seconds: float) -> None:
    """Be a terminal: take what comes, and answer."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                written = os.read(terminal, 1 << 16)
                os.write(terminal, _ANSWER * written.count(_ASK))
            except OSError:  # it has ended
                return


def _cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files)
