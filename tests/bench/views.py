"""What a view that is opt-in adds to an exit, beyond `bpfexit top` without it."""

import json
import sys
import tempfile
from pathlib import Path

from tests.bench.instructions import added, per_exit
from tests.bench.report import Report
from tests.bench.tracers import view_tracers
from tests.testbed import kernels, machine

TIMEOUT_S = 3000


def report() -> Report:
    """Boot once under icount; return the instructions that each view adds to an exit."""
    names = ["--switches", "no tracer", "bpfexit top", *(tracer.name for tracer in view_tracers())]
    with tempfile.TemporaryDirectory() as folder:
        machine.boot(
            kernels.fetch(kernels.DEFAULT_SUITE),
            f'"$PYTHON" -m tests.bench.inside "$SHARE" {" ".join(map(repr, names))}',
            share=Path(folder),
            icount=True,
            timeout=TIMEOUT_S,
            on_output=lambda text: print(text, end="", file=sys.stderr, flush=True),
        ).check()
        found = json.loads((Path(folder) / "report.json").read_text())
    bare, top, *views = found["rows"]
    before = per_exit(top)
    rows = [("bpfexit top", *added(before, per_exit(bare)))]
    for row in views:
        base = per_exit(bare) if row["tracer"] == "events -t" else before
        if row["loops"]:
            rows.append((row["tracer"], *added(per_exit(row), base)))
    return Report(
        "Instructions that views add to an exit",
        ("view", *before),
        rows,
        (
            f"Linux {found['release']}, SVM emulated under icount: a nanosecond is an instruction",
            "views: beyond `bpfexit top`; that and `events -t`: beyond no tracer",
        ),
    )
