"""How many exits of some vCPU threads a tracer has told of, from what it left behind.

perf follows the guest's process alone, so there everything counts.
"""

import json
import re
import subprocess
from pathlib import Path


def by_top(text: str, tids: set[int]) -> int:
    """Add up the rows of `bpfexit top -j`; other lines are what it said."""
    lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return sum(row["count"] for line in lines for row in line["rows"] if row["tid"] in tids)


def by_perf_stat(text: str, event: str) -> int:
    """Return the count of an event in `perf stat -x,`."""
    for line in text.splitlines():
        fields = line.split(",")
        if f"kvm:{event}" in fields:
            return int(fields[0])
    raise ValueError(f"perf stat tells of no {event}")


def by_perf_record(path: Path, event: str) -> int:
    """Return the samples of an event in a recording of perf's."""
    return samples(_said("perf", "report", "-i", str(path), "--stats"), event)


def samples(text: str, event: str) -> int:
    """Return the samples of an event in `perf report --stats`: its number is below its name."""
    found = re.search(rf"^kvm:{event} stats:\n\s+SAMPLE events:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def by_trace_cmd(path: Path, event: str, tids: set[int]) -> int:
    """Count an event in a recording of trace-cmd's."""
    return lines_of(_said("trace-cmd", "report", "-q", "-i", str(path)), event, tids)


def lines_of(text: str, event: str, tids: set[int]) -> int:
    """Count an event in `trace-cmd report`: `name-TID [CPU] time: event: ...`."""
    found = re.findall(rf"-(\d+) +\[\d+\] +[\d.]+: {event}: ", text)
    return sum(int(tid) in tids for tid in found)


def by_bpftrace(text: str, tids: set[int]) -> int:
    """Add up bpftrace's map `@count`, whose first key is the thread."""
    found = re.findall(r"^@count\[(\d+),.*\]: (\d+)$", text, re.MULTILINE)
    return sum(int(count) for tid, count in found if int(tid) in tids)


def by_kvmexit(text: str, tids: set[int]) -> int:
    """Add up the counts in kvmexit's table of process, thread, reason and count."""
    found = re.findall(r"^\d+ +(\d+) +\S+ +(\d+) *$", text, re.MULTILINE)
    return sum(int(count) for tid, count in found if int(tid) in tids)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
