"""A QMP socket that never answers: exits are counted beside it, and the end is not held up."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counting import BPFEXIT, next_line, started, write
from tests.integration.interrupting import read_until

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

PATIENCE_S = 120.0


@pytest.fixture
def tiny() -> Iterator[int]:
    """Run a guest that takes a few exits all the time."""
    command = ["testguest", "--wait", "--mix", "pio-read-user@0x70", "--rate", "500"]
    with started([*BPFEXIT, *command]) as process:
        next_line(process)
        write(process, "\n")
        yield process.pid
        process.terminate()
        process.communicate()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen(1)
        listener.settimeout(PATIENCE_S)
        yield listener


def top(pid: int, silent: socket.socket, *arguments: str) -> subprocess.Popen[str]:
    command = [*BPFEXIT, "top", *arguments, "0.2"]
    return subprocess.Popen(
        [*command, "-p", str(pid), "--qmp", f"{pid}={silent.getsockname()}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_intervals_go_on_and_a_signal_ends_them(
    tiny: int, silent: socket.socket, number: signal.Signals
) -> None:
    with top(tiny, silent, "-j") as process:
        client, _ = silent.accept()
        read_until(process, five_and_exits)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        client.settimeout(PATIENCE_S)
        with client:
            while client.recv(4096):
                pass


def five_and_exits(text: str) -> bool:
    rows = [json.loads(line)["rows"] for line in text.splitlines()]
    return len(rows) >= 5 and any(row["count"] for each in rows for row in each)


def test_the_header_shows_the_failure_as_long_as_it_lasts(tiny: int, silent: socket.socket) -> None:
    with top(tiny, silent, "-b") as process:
        notice = f"--qmp {silent.getsockname()}: no answer within"
        assert process.stdout
        assert any(line.startswith(notice) for line in process.stdout)
        tables = "".join(process.stdout.readline() for _ in range(30))
        assert tables.count(notice) > 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert errors.count(notice) == 1
