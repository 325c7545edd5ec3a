"""The kernel's own record of KVM's events: the ground truth that counts and latencies are held to.

The events go to an ftrace instance of their own, on the clock the programs use,
and trace-cmd, which shares nothing with bpfexit, decodes the buffer: anywhere, as
its file describes the events' records. An emulated host would take a minute for it.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TRACEFS = Path("/sys/kernel/tracing")
INSTANCE = "bpfexit-truth"
# trace-cmd extracts the top buffer, too; a line of an instance's begins with its name.
_LINE = re.compile(INSTANCE + r":.*-(\d+)\s+\[\d+\]\s+(\d+)\.(\d{9}):\s+(\w+):\s+(.*)$")
_FIELD = re.compile(r"(\w+)=(0x[0-9a-f]+|-?[0-9a-f]+)\b")
_BARE_HEX = frozenset({"ecx", "function", "fault_address", "error_code"})
"""trace-cmd prints these fields in hexadecimal without a prefix; the last two on Linux 5.10."""
_WANTED = frozenset(
    {
        "exit_reason",
        "isa",
        "guest_rip",
        "port",
        "gpa",
        "ecx",
        "rw",
        "size",
        "len",
        "type",
        "write",
        "load",
        "reason",
        *("function", "nr", "reg", "cr", "vector", "irq", "error_code", "fault_address"),
        *("errno", "intr_info", "info1"),
        *("ns", "waited", "old", "new"),
        *("prev_pid", "prev_state", "next_pid", "pid"),
    }
)


@dataclass(frozen=True)
class Event:
    """One event: the thread it fired in, when (CLOCK_MONOTONIC, ns), its name and its numbers."""

    tid: int
    ns: int
    name: str
    fields: dict[str, int]


@contextmanager
def recording(names: tuple[str, ...], data: Path, buffer_kb: int = 65536) -> Iterator[None]:
    """Record these events to a file while the context lasts. Fails when one was lost.

    They are of the group `kvm`, or `GROUP/NAME`.
    """
    instance = TRACEFS / "instances" / INSTANCE
    instance.mkdir()
    try:
        (instance / "trace_clock").write_text("mono")
        (instance / "buffer_size_kb").write_text(str(buffer_kb))
        for name in names:
            path = name if "/" in name else f"kvm/{name}"
            (instance / "events" / path / "enable").write_text("1")
        yield
        (instance / "tracing_on").write_text("0")
        _check_nothing_lost(instance)
        # This removes the instance, too.
        _trace_cmd("extract", "-B", instance.name, "-o", str(data))
    finally:
        if instance.exists():
            instance.rmdir()


def recorded(data: Path) -> list[Event]:
    """Return the events of such a file, in their order."""
    return _events(_trace_cmd("report", "-t", "-R", "-N", "-i", str(data)))


def _check_nothing_lost(instance: Path) -> None:
    for stats in instance.glob("per_cpu/cpu*/stats"):
        numbers = dict(line.split(": ") for line in stats.read_text().splitlines())
        lost = {name: numbers[name] for name in ("overrun", "commit overrun", "dropped events")}
        assert all(number == "0" for number in lost.values()), f"ftrace lost events: {lost}"


def _trace_cmd(*arguments: str) -> str:
    done = subprocess.run(["trace-cmd", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _events(report: str) -> list[Event]:
    events = []
    for line in report.splitlines():
        found = _LINE.match(line)
        if found:
            tid, seconds, fraction, name, fields = found.groups()
            ns = int(seconds) * 10**9 + int(fraction)
            events.append(Event(int(tid), ns, name, _numbers(fields)))
    return sorted(events, key=lambda event: event.ns)


def _numbers(fields: str) -> dict[str, int]:
    return {
        name: int(value, 16 if name in _BARE_HEX else 0)
        for name, value in _FIELD.findall(fields)
        if name in _WANTED
    }
