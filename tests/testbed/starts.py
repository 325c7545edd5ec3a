"""A scenario of the session inside: starts with an empty cache and with a filled one."""

import re
import resource
import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from bpfexit.guests.guests import Guests
from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.tracer import cache
from bpfexit.tracer.compiling import compile_text
from bpfexit.tracer.source import KernelSource
from tests.counting import BPFEXIT, started, until_counting

LITTLE = 64 << 10
"""The limit on locked memory that Linux before 5.16 starts a process with."""


def starts() -> dict[str, Any]:
    """Start twice with little locked memory; say how often that has compiled, and what is left."""
    shutil.rmtree(cache.FOLDER, ignore_errors=True)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (LITTLE, LITTLE))
    ready = preflight.ready()
    compiled = []
    with mock.patch("bpfexit.tracer.loading.compile_text", wraps=compile_text) as compiling:
        for _ in range(2):
            with closing(KernelSource(ready.backend, ready.tracefs, Filter(), Guests())):
                compiled.append(compiling.call_count)
    return {
        "compiled": compiled,
        "locked_memory": resource.getrlimit(resource.RLIMIT_MEMLOCK),
        "peak_kib": _peak_kib(),
    }


def _peak_kib() -> int:
    """Return the most that is resident of `top -j`."""
    with started([*BPFEXIT, "top", "-j"], stderr=subprocess.PIPE) as top:
        until_counting(top)
        time.sleep(2)
        status = Path(f"/proc/{top.pid}/status").read_text()
        top.send_signal(signal.SIGINT)
        top.communicate()
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak)
