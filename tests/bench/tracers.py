"""The tracers that are compared, each a way to run a command under it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import seen

_BPFEXIT = (sys.executable, "-m", "bpfexit")
VIEWS = ("cpuid", "apic", "userspace", "fault", "rip")
WAYS = (*(("--by", view) for view in VIEWS), ("--blocked",))
"""What `top` is asked for, beyond what it always counts."""

ALL_EVENTS = (
    "kvm_exit",
    "kvm_entry",
    "kvm_pio",
    "kvm_mmio",
    "kvm_msr",
    "kvm_userspace_exit",
    "kvm_fpu",
)
"""What bpfexit attaches to, where there are exits."""

# Counts and log2 latencies by thread, reason and address, and the time in user space:
# what bpfexit does, as one would write it.
BPFTRACE_EXITS = """
tracepoint:kvm:kvm_exit {
  @start[tid] = nsecs; @reason[tid] = args->exit_reason; @address[tid] = 0;
}
tracepoint:kvm:kvm_pio { @address[tid] = args->port }
tracepoint:kvm:kvm_mmio { @address[tid] = args->gpa }
tracepoint:kvm:kvm_msr { @address[tid] = args->ecx }
tracepoint:kvm:kvm_userspace_exit { @left[tid] = nsecs }
tracepoint:kvm:kvm_fpu /args->load && @left[tid]/ {
  @user_ns[tid, @reason[tid], @address[tid]] = sum(nsecs - @left[tid]);
  delete(@left[tid]);
}
tracepoint:kvm:kvm_entry /@start[tid]/ {
  @count[tid, @reason[tid], @address[tid]] = count();
  @ns[tid, @reason[tid], @address[tid]] = hist(nsecs - @start[tid]);
  delete(@start[tid]);
}
"""

# The same where there are no exits: accesses, and the time in user space.
BPFTRACE_ACCESSES = """
tracepoint:kvm:kvm_pio { @count[tid, args->port, args->rw] = count() }
tracepoint:kvm:kvm_mmio { @count[tid, args->gpa, args->type] = count() }
tracepoint:kvm:kvm_userspace_exit { @left[tid] = nsecs }
tracepoint:kvm:kvm_fpu /args->load && @left[tid]/ {
  @user_ns[tid] = sum(nsecs - @left[tid]);
  delete(@left[tid]);
}
"""


@dataclass(frozen=True)
class Job:
    """What is traced: events, of which one, `counted`, is one exit; and the same for bpftrace."""

    events: tuple[str, ...]
    counted: str
    bpftrace: str


EXITS = Job(ALL_EVENTS, "kvm_exit", BPFTRACE_EXITS)
ACCESSES = Job(
    ("kvm_pio", "kvm_mmio", "kvm_userspace_exit", "kvm_fpu"), "kvm_pio", BPFTRACE_ACCESSES
)
"""For a back end that emits no `kvm_exit`."""


Wrap = Callable[[list[str], Path], list[str]]
"""Turns a command into the one that runs it traced, with a folder for what the tracer writes."""


@dataclass(frozen=True)
class Tracer:
    """A tracer, which must be installed.

    `seen` reads in the folder how many exits of some threads it has told of.
    """

    name: str
    tool: str
    wrap: Wrap
    version: tuple[str, ...] = ()
    seen: Callable[[Path, set[int]], int] | None = None

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

    def described(self, failure: str = "") -> str:
        """Return a line with name, version and command, or with why it does not run."""
        said = [failure] if failure else [self.version_line(), self.command_line()]
        return f"{self.name}: {'; '.join(filter(None, said))}"

    def command_line(self) -> str:
        """Return the command it is, for a person; COMMAND stands for what is traced."""
        words = self.wrap(["COMMAND"], Path())
        known = {sys.executable: "python", EXITS.bpftrace: "PROGRAM", ACCESSES.bpftrace: "PROGRAM"}
        return shlex.join(known.get(word, word) for word in words)


def tracers(job: Job, still: bool = False) -> tuple[Tracer, ...]:
    """Return all of them, for one job; the first is none.

    `still` stops the processes of those that count in the kernel meanwhile: on a
    single CPU, what they read now and then would fall on some runs and not on others.
    """

    def beside(word: str, output: str, tracer: list[str]) -> Wrap:
        return _beside([*["STILL"] * still, word], output, tracer)

    events = [word for event in job.events for word in ("-e", f"kvm:{event}")]
    # Its first line is of the interval in which it measures its own cost.
    top = beside("bpfexit.snapshot", "top.jsonl", [*_BPFEXIT, "top", "-j"])

    def by_top(folder: Path, tids: set[int]) -> int:
        return seen.by_top((folder / "top.jsonl").read_text(), tids)

    return (
        Tracer("no tracer", sys.executable, lambda command, _: command),
        Tracer("empty programs", sys.executable, beside("attached", "empty.txt", _module("empty"))),
        Tracer("bpfexit top", sys.executable, top, (*_BPFEXIT, "--version"), by_top),
        Tracer(
            "bpfexit top, BPF statistics on",
            sys.executable,
            lambda command, folder: top([*_module("with_statistics"), *command], folder),
            (*_BPFEXIT, "--version"),
            by_top,
        ),
        Tracer(
            "perf stat",
            "perf",
            lambda command, folder: [
                *("perf", "stat", "-x,", "-o", str(folder / "stat.csv"), *events, "--", *command)
            ],
            ("perf", "--version"),
            lambda folder, _: seen.by_perf_stat((folder / "stat.csv").read_text(), job.counted),
        ),
        Tracer(
            "perf kvm stat record",
            "perf",
            lambda command, folder: [
                *("perf", "kvm", "stat", "record", "-o", str(folder / "kvm.data"), *command)
            ],
            ("perf", "--version"),
            lambda folder, _: seen.by_perf_record(folder / "kvm.data", job.counted),
        ),
        Tracer(
            "trace-cmd record",
            "trace-cmd",
            lambda command, folder: [
                *("trace-cmd", "record", "-o", str(folder / "trace.dat"), *events, *command)
            ],
            ("trace-cmd", "--version"),
            lambda folder, tids: seen.by_trace_cmd(folder / "trace.dat", job.counted, tids),
        ),
        Tracer(
            "bpftrace",
            "bpftrace",
            lambda command, folder: [
                *("bpftrace", "-o", str(folder / "bpftrace.txt"), "-e", job.bpftrace),
                *("-c", shlex.join(command)),
            ],
            ("bpftrace", "--version"),
            lambda folder, tids: seen.by_bpftrace((folder / "bpftrace.txt").read_text(), tids),
        ),
        Tracer(
            "bcc kvmexit, adapted",
            "kvmexit-bpfcc",
            beside("Ctrl-C", "kvmexit.txt", _module("kvmexit")),
            ("dpkg-query", "-W", "bpfcc-tools"),
            lambda folder, tids: seen.by_kvmexit((folder / "kvmexit.txt").read_text(), tids),
        ),
    )


def view_tracers() -> tuple[Tracer, ...]:
    """Return `bpfexit top` with each of some opt-in views, and `events -t`; they stand still."""
    top = [*_BPFEXIT, "top", "-j"]
    views = [
        Tracer(
            " ".join(way),
            sys.executable,
            _beside(["STILL", "bpfexit.snapshot"], "top.jsonl", [*top, *way]),
        )
        for way in WAYS
    ]
    events = [*_BPFEXIT, "events", "-j", "-t"]
    counting = _beside(["STILL", "bpfexit.events"], "events.jsonl", events)
    return (*views, Tracer("events -t", sys.executable, counting))


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{name}"]


def _beside(words: list[str], output: str, tracer: list[str]) -> Wrap:
    """Return how a command is run beside a tracer that runs no command itself."""
    return lambda command, folder: [
        *(*_module("beside"), *words, str(folder / output), *tracer, "--", *command)
    ]
