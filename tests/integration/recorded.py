"""A guest beside a recorder."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.counting import BPFEXIT, next_line, recorded, started, until_counting
from tests.waiting import ENOUGH_S

MIX = "pio-read-kernel=9973,pio-write-user=1013,mmio-read-user=3001,msr-read=1019"


@contextmanager
def guest(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start a guest that waits for a line before each of its rounds; yield its ready line, too."""
    command = [*BPFEXIT, "testguest", "--json", "--wait", "--linger", *arguments]
    with started(command) as machine:
        try:
            yield machine, json.loads(next_line(machine))
        finally:
            machine.communicate()


@contextmanager
def recording(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `record` into a file, without a terminal; yield when the programs are attached."""
    command = ["setsid", *BPFEXIT, "record", "-o", str(path), *arguments]
    with started(command, stderr=subprocess.PIPE) as tracer:
        until_counting(tracer)
        try:
            yield tracer
        finally:
            tracer.kill()


def ended(tracer: subprocess.Popen[str]) -> str:
    """End it by Ctrl-C; return what it said."""
    tracer.send_signal(signal.SIGINT)
    output, said = tracer.communicate(timeout=ENOUGH_S)
    assert (tracer.returncode, output) == (0, ""), said
    return said


def intervals(*paths: Path) -> list[dict[str, Any]]:
    """Return the intervals of files, as JSON."""
    return [interval for path in paths for interval in recorded(path)]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*BPFEXIT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
