"""What an exit costs on each kernel of the testbeds, under bpfexit and under `perf stat`."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.instructions import added, per_exit
from tests.bench.report import Report
from tests.testbed import kernels
from tests.testbed.bochs import INSTRUCTION_NS
from tests.testbed.bochs_disks import PACKAGES
from tests.testbed.hosts import SVM, VMX, Host

TRACERS = ("no tracer", "bpfexit top", "perf stat")
TIMEOUT_S = 3000


def report() -> Report:
    """Boot each kernel on SVM under icount; return the instructions that tracers add."""
    return _report(SVM, {"icount": True}, 1, "a nanosecond is an instruction")


def vmx_report() -> Report:
    """Do the same on VMX, whose root has perf for this alone."""
    note = f"{INSTRUCTION_NS} ns of the emulated clock are an instruction"
    options = {"packages": (*PACKAGES, "linux-perf")}
    return _report(VMX, options, INSTRUCTION_NS, note)


def _report(host: Host, options: Mapping[str, Any], ns: int, note: str) -> Report:
    rows: dict[str, list[str]] = {}
    releases = []
    for suite in kernels.SUITES:
        kernel = kernels.fetch(suite)
        releases.append(kernel.release)
        for name, value in measured(host, kernel, options, ns).items():
            rows.setdefault(name, []).append(value)
    return Report(
        f"Instructions added to an exit on {host.module}, by kernel",
        ("", *releases),
        [(name, *values) for name, values in rows.items()],
        (note, "rows are those of the first table; its programs and guests are the same"),
    )


def measured(
    host: Host, kernel: kernels.Kernel, options: Mapping[str, Any], ns: int
) -> dict[str, str]:
    """Return the instructions by tracer and loop, as they are printed."""
    names = " ".join(f'"{name}"' for name in TRACERS)
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder)
        command = f'"$PYTHON" -m tests.bench.inside "$SHARE" {names}'
        print(f"{kernel.release} on {host.name}", file=sys.stderr, flush=True)
        host.boot(kernel, command, share=share, timeout=TIMEOUT_S, **options).check()
        found = json.loads((share / "report.json").read_text())["rows"]
    taken = [{name: value / ns for name, value in per_exit(row).items()} for row in found]
    bare = taken[0]
    cells = {f"no tracer: {name}": f"{value:,.0f}" for name, value in bare.items()}
    for tracer, row in zip(TRACERS[1:], taken[1:], strict=True):
        if row:
            values = added(row, bare)
            cells |= {f"{tracer}: {name}": value for name, value in zip(bare, values, strict=True)}
    return cells
