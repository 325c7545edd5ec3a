"""The loops under each tracer; runs inside the icount testbed.

`python -m tests.bench.inside SHARE [--switches] [TRACER...]` writes SHARE/loops.json and, in
a folder of its own below SHARE, what each tracer left.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.tracers import EXITS, Tracer, tracers, view_tracers


def measured(tracer: Tracer, share: Path, *more: str) -> dict[str, Any]:
    """Return what `tests.bench.loops` took under a tracer, or why it did not run."""
    row: dict[str, Any] = {"tracer": tracer.name, "loops": {}, "note": ""}
    if not tracer.there:
        return row | {"note": f"{tracer.tool} is not installed"}
    with tempfile.TemporaryDirectory() as work:  # in memory: a recorder pays for no disk
        folder, result = Path(work), Path(work) / "loops.json"
        command = tracer.wrap(
            [sys.executable, "-m", "tests.bench.loops", str(result), *more], folder
        )
        # Else the guest's process has another order of its dictionaries, and cost, at each run.
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if not result.exists():
            return row | {"note": f"it ended with {done.returncode}: {done.stderr[-300:].strip()}"}
        shutil.copytree(folder, share / tracer.name)
        return row | {"loops": json.loads(result.read_text())}


def main(share: Path, names: list[str]) -> None:
    """Measure all tracers, or those named."""
    rows = []
    more = ["switches"] if "--switches" in names else []
    names = [name for name in names if name != "--switches"]
    usual = tracers(EXITS, still=True)
    for tracer in (*usual, *view_tracers()):
        if tracer.name in (names or [each.name for each in usual]):
            rows.append(measured(tracer, share, *more))
            print(tracer.name, json.dumps(rows[-1]), flush=True)
    report = {"release": os.uname().release, "rows": rows}
    (share / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
