"""Capabilities are given up for good, by the thread and those that it starts."""

import json
import subprocess
import sys

import pytest

CODE = """
import json, os, sys, threading
from bpfexit.host.capabilities import capabilities_of_threads, keep_capabilities

keep_capabilities(sys.argv[1:])
found = []
thread = threading.Thread(target=lambda: found.append(sorted(capabilities_of_threads())))
thread.start()
thread.join()
while len(os.listdir("/proc/self/task")) > 1:  # the kernel takes a while to end a thread
    pass
keep_capabilities(["CAP_BPF", "CAP_SYS_ADMIN"])  # what is gone does not come back
print(json.dumps([*found, sorted(capabilities_of_threads())]))
"""


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("kept", "held", "later"),
    [
        (["CAP_BPF", "CAP_SYS_PTRACE"], ["CAP_BPF", "CAP_SYS_PTRACE"], ["CAP_BPF"]),
        (["CAP_SYS_ADMIN"], ["CAP_SYS_ADMIN"], ["CAP_SYS_ADMIN"]),
        ([], [], []),
    ],
)
def test_only_those_that_are_named_are_kept(
    kept: list[str], held: list[str], later: list[str]
) -> None:
    command = [sys.executable, "-c", CODE, *kept]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [held, later]
