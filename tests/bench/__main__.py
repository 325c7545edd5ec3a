"""`python -m tests.bench`: measure and print the tables."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import startup
from tests.testbed import kernels, machine

TIMEOUT_S = 1500


def main() -> None:
    """Print every table."""
    console = Console(width=110, highlight=False)
    console.print(time.strftime("%Y-%m-%d"), Path("/proc/version").read_text().strip())
    console.print(_startup())
    console.print(_instructions())


def _startup() -> Table:
    table = Table(title=f"`bpfexit top`, from process start, s ({startup.RUNS} runs)")
    for heading in ("to", "median", "worst"):
        table.add_column(heading)
    for name, median, worst in startup.rows():
        table.add_row(name, f"{median:.2f}", f"{worst:.2f}")
    return table


def _instructions() -> Table:
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder)
        machine.boot(
            kernels.fetch(kernels.DEFAULT_SUITE),
            '"$PYTHON" -m tests.bench.instructions "$SHARE"',
            share=share,
            icount=True,
            timeout=TIMEOUT_S,
        ).check()
        report = json.loads((share / "instructions.json").read_text())
    return _cost_table(report)


def _cost_table(report: dict[str, Any]) -> Table:
    table = Table(
        title=f"instructions per exit, in-kernel port read (mix {report['mix']}), "
        f"Linux {report['release']}, SVM under icount"
    )
    for heading in ("tracer", "per exit", "added", "version, or why not"):
        table.add_column(heading, justify="right" if heading in ("per exit", "added") else "left")
    bare = report["rows"][0]["per_exit"]
    for row in report["rows"]:
        cost = row["per_exit"]
        numbers = ("", "") if cost is None else (f"{cost:,.0f}", f"{cost - bare:,.0f}")
        table.add_row(row["tracer"], *numbers, row["note"] or row["version"])
    return table


if __name__ == "__main__":
    main()
