"""What an exit costs under each tracer, in instructions; runs inside the icount testbed.

There a nanosecond of the clock is an instruction executed, so the difference of
two runs of different lengths, divided by that of their exits, is the cost of an
exit without what starting and stopping takes.

`python -m tests.bench.instructions SHARE` writes SHARE/instructions.json.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.tracers import TRACERS, Tracer

MIX = "pio"
SHORT, LONG = 5_000, 45_000


def measured(tracer: Tracer, folder: Path) -> dict[str, Any]:
    """Return instructions per exit under a tracer; None with the reason if it does not run."""
    row = {"tracer": tracer.name, "version": tracer.version_line(), "per_exit": None, "note": ""}
    if not tracer.there:
        return row | {"note": f"{tracer.tool} is not installed"}
    try:
        _ns(tracer, folder, SHORT)  # warms the page cache
        cost = (_ns(tracer, folder, LONG) - _ns(tracer, folder, SHORT)) / (LONG - SHORT)
    except subprocess.CalledProcessError as error:
        return row | {"note": f"it ended with {error.returncode}: {error.stderr[-200:]}"}
    return row | {"per_exit": cost}


def _ns(tracer: Tracer, folder: Path, exits: int) -> float:
    """Run the guest under the tracer; return how long its vCPU took, ns."""
    result = folder / "guest.json"
    script = folder / "guest.sh"
    script.write_text(
        "#!/bin/sh\nexec "
        f"{sys.executable} -m bpfexit guest --mix {MIX} --exits {exits} -j > {result}\n"
    )
    script.chmod(0o755)
    command = tracer.wrap([str(script)], folder)
    subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(result.read_text())["duration_s"]) * 1e9


if __name__ == "__main__":
    share = Path(sys.argv[1])
    rows = [measured(tracer, share) for tracer in TRACERS]
    report = {"release": os.uname().release, "mix": MIX, "rows": rows}
    (share / "instructions.json").write_text(json.dumps(report))
