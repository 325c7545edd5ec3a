"""Commands of bpfexit that are ended by Ctrl-C when enough has happened, not after some time."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.counting import BPFEXIT, PATIENCE_S, next_line, started, until_counting


def interrupted(
    wait: Callable[[subprocess.Popen[str]], str], *arguments: str, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command of bpfexit, end it by Ctrl-C after `wait`; return what it printed.

    `wait` returns what it has read of that. `under` is a command that starts it.
    """
    with started([*under, *BPFEXIT, *arguments], stderr=subprocess.PIPE) as command:
        assert command.stdout
        assert command.stderr
        try:
            output = wait(command)
            command.send_signal(signal.SIGINT)
            output += command.stdout.read()
            said = command.stderr.read()
            assert command.wait() == 0, said
        finally:
            command.kill()
    return subprocess.CompletedProcess(command.args, command.returncode, output, said)


def interrupted_when(
    enough: Callable[[str], object], *arguments: str, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Do so as soon as its lines suffice, however slow the machine is."""
    return interrupted(lambda command: read_until(command, enough), *arguments, under=under)


def interrupted_after(
    pid: int, ns: int, *arguments: str, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Do so when a process has had a CPU for so long since counting began.

    Nothing is read until then: the command must print little. What it says before is left out.
    """

    def wait(command: subprocess.Popen[str]) -> str:
        until_counting(command)
        until_ran(pid, ns)
        return ""

    return interrupted(wait, *arguments, under=under)


def read_until(command: subprocess.Popen[str], enough: Callable[[str], object]) -> str:
    """Read lines that a command prints until they suffice; return them."""
    text, end = "", time.monotonic() + PATIENCE_S
    while not enough(text):
        assert time.monotonic() < end, f"not in {text[-2000:]!r}"
        text += next_line(command)
    return text


def until_ran(pid: int, ns: int) -> None:
    """Wait until the threads of a process have had a CPU for as long again."""
    end = _on_cpu_ns(pid) + ns
    while _on_cpu_ns(pid) < end:
        time.sleep(0.05)


def _on_cpu_ns(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in tasks)
