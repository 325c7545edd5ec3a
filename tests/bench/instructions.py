"""What an exit costs under each tracer, in instructions: the loops in the icount testbed.

There a nanosecond of the clock is an instruction executed.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.loops import LOOPS
from tests.bench.report import Report, share_lost
from tests.bench.tracers import EXITS, Tracer, tracers
from tests.testbed import kernels, machine

TIMEOUT_S = 3000


def report() -> Report:
    """Boot once, run all loops under all tracers; return the instructions that each adds."""
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder)
        machine.boot(
            kernels.fetch(kernels.DEFAULT_SUITE),
            '"$PYTHON" -m tests.bench.inside "$SHARE"',
            share=share,
            icount=True,
            timeout=TIMEOUT_S,
            on_output=lambda text: print(text, end="", file=sys.stderr, flush=True),
        ).check()
        found = json.loads((share / "report.json").read_text())
        lost = {
            tracer.name: _lost(tracer, share / tracer.name) for tracer in tracers(EXITS, still=True)
        }
    rows = found["rows"]
    bare = per_exit(rows[0])
    done = [row for row in rows[1:] if row["loops"]]
    return Report(
        "Instructions added to an exit",
        ("tracer", *bare, "lost"),
        [
            ("an exit without tracer", *map(_number, bare.values()), ""),
            *((row["tracer"], *added(per_exit(row), bare), lost[row["tracer"]]) for row in done),
        ],
        (
            f"Linux {found['release']}, SVM emulated under icount: one CPU, a nanosecond an "
            "instruction; recorders share it with the guest, those that count in the kernel stand "
            "still meanwhile",
            *(f"{loop.name}: {loop.mix}" for loop in LOOPS),
            *(
                tracer.described(row["note"])
                for tracer, row in zip(tracers(EXITS, still=True)[1:], rows[1:], strict=True)
            ),
        ),
    )


def per_exit(row: dict[str, Any]) -> dict[str, float]:
    """Return the instructions of an exit in each loop, by its name."""
    return {name: loop["per_exit_ns"] for name, loop in row["loops"].items()}


def added(per_exit: dict[str, float], bare: dict[str, float]) -> list[str]:
    """Return what each loop takes more than without tracer."""
    return [_number(per_exit[name] - bare[name]) for name in bare]


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _lost(tracer: Tracer, folder: Path) -> str:
    """Return the share of the exits that the tracer did not tell of."""
    if tracer.seen is None or not folder.exists():
        return ""
    loops = json.loads((folder / "loops.json").read_text()).values()
    tids = {tid for loop in loops for tid in loop["tids"]}
    return share_lost(sum(loop["exits"] for loop in loops), tracer.seen(folder, tids))
