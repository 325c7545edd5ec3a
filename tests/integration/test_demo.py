"""`make demo` shows a guest of its own, which is there until the demo's end, and no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.counting import next_line, started, write

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

CHECKOUT = Path(__file__).resolve().parents[2]
BPFEXIT = str(Path(sys.executable).parent / "bpfexit")
PATIENCE_S = 300


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def beside_guest(command: str, mix: str = "clock") -> subprocess.CompletedProcess[str]:
    return run(str(CHECKOUT / ".ci" / "beside-guest"), BPFEXIT, mix, command)


def test_other_guests_are_not_in_the_demo() -> None:
    with started([BPFEXIT, "testguest", "--name", "somebody", "--rate", "500", "--wait"]) as other:
        next_line(other)
        write(other, "\n")
        done = run("make", "demo", "DEMO_S=1", f"VENV={sys.prefix}")
        other.terminate()
    assert done.returncode == 0, done.stderr
    assert "demo" in {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert "somebody" not in done.stdout
    assert "pid:" not in done.stdout


def test_the_guest_is_there_before_the_command_and_until_its_end() -> None:
    done = beside_guest('tr "\\0" " " </proc/$guest/cmdline; echo; echo $guest')
    assert done.returncode == 0, done.stderr
    arguments, pid = done.stdout.splitlines()
    assert "testguest --name demo --mix clock" in arguments
    assert not os.path.exists(f"/proc/{pid}")


def test_the_status_is_the_commands() -> None:
    assert beside_guest("exit 7").returncode == 7


def test_a_guest_that_does_not_start_ends_the_demo() -> None:
    done = beside_guest("echo never", mix="nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert "demo: its guest does not start" in done.stderr
