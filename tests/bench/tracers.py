"""The tracers that are compared, each a way to run a command under it."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bpfexit.host import bpf_statistics

POLL_S = 0.1
EVENTS = ("kvm_exit", "kvm_entry", "kvm_pio")

# Counts and log2 latencies by reason and by port: what bpfexit does, as one would write it.
BPFTRACE = """
tracepoint:kvm:kvm_exit { @start[tid] = nsecs; @reason[tid] = args->exit_reason; @port[tid] = 0 }
tracepoint:kvm:kvm_pio { @port[tid] = args->port }
tracepoint:kvm:kvm_entry /@start[tid]/ {
  @count[tid, @reason[tid], @port[tid]] = count();
  @ns[tid, @reason[tid], @port[tid]] = hist(nsecs - @start[tid]);
  delete(@start[tid]);
}
"""


@dataclass(frozen=True)
class Tracer:
    """`wrap` turns a command into the one that runs it traced; `tool` must be installed."""

    name: str
    tool: str
    wrap: Callable[[list[str], Path], list[str]]
    version: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.tool) is not None

    def version_line(self) -> str:
        """Return what the tool says of its version, one line."""
        if not self.version:
            return ""
        said = subprocess.run(self.version, capture_output=True, text=True, check=False)
        return (said.stdout or said.stderr).strip().partition("\n")[0]


def _events(prefix: str) -> list[str]:
    return [word for event in EVENTS for word in (prefix, f"kvm:{event}")]


def _under_top(command: list[str], folder: Path, statistics: str = "off") -> list[str]:
    output = str(folder / "top.jsonl")
    return [sys.executable, "-m", "tests.bench.tracers", statistics, output, *command]


TRACERS = (
    Tracer("no tracer", sys.executable, lambda command, _: command),
    Tracer(
        "bpfexit top -j",
        sys.executable,
        _under_top,
        (sys.executable, "-m", "bpfexit", "--version"),
    ),
    Tracer(
        "bpfexit top -j, BPF statistics on",
        sys.executable,
        lambda command, folder: _under_top(command, folder, "on"),
    ),
    Tracer(
        "perf stat",
        "perf",
        lambda command, folder: [
            *("perf", "stat", "-o", str(folder / "stat.txt"), *_events("-e"), "--", *command)
        ],
        ("perf", "--version"),
    ),
    Tracer(
        "perf kvm stat record",
        "perf",
        lambda command, folder: [
            *("perf", "kvm", "stat", "record", "-o", str(folder / "kvm.data"), *command)
        ],
        ("perf", "--version"),
    ),
    Tracer(
        "trace-cmd record",
        "trace-cmd",
        lambda command, folder: [
            *(
                "trace-cmd",
                "record",
                "-q",
                "-o",
                str(folder / "trace.dat"),
                *_events("-e"),
                *command,
            )
        ],
        ("trace-cmd", "--version"),
    ),
    Tracer(
        "bpftrace",
        "bpftrace",
        lambda command, folder: [
            *("bpftrace", "-o", str(folder / "bpftrace.txt"), "-e", BPFTRACE),
            *("-c", shlex.join(["/bin/sh", *command])),
        ],
        ("bpftrace", "--version"),
    ),
)


def run_under_top(statistics: bool, output: Path, command: list[str]) -> int:
    """Run a command while `bpfexit top -j`, on all guests, writes to a file."""
    with (
        output.open("w") as file,
        bpf_statistics.enabled() if statistics else nullcontext(),
        subprocess.Popen(
            [sys.executable, "-m", "bpfexit", "top", "-j"],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
        ) as top,
    ):
        assert top.stderr
        top.stderr.readline()
        while not output.stat().st_size:  # it measures its own cost in its first interval
            time.sleep(POLL_S)
        status = subprocess.run(command, check=False).returncode
        top.send_signal(signal.SIGINT)
    return status or top.returncode


if __name__ == "__main__":
    sys.exit(run_under_top(sys.argv[1] == "on", Path(sys.argv[2]), sys.argv[3:]))
