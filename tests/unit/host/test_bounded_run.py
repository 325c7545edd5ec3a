"""A program whose time and output are bounded, in a session of its own, until cancelled."""

import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bpfexit.host.bounded_run import Done, bounded_run
from bpfexit.host.cancel import Cancel, CancelledError

PATIENCE_S = 60.0
LONG_S = 3600.0
MOST = 1000


def shell(script: str, timeout_s: float = PATIENCE_S, cancel: Cancel | None = None) -> Done:
    return bounded_run(["sh", "-c", script], os.environ, timeout_s, MOST, cancel)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the processes that are started, each of which leads its session."""
    pids: list[int] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            pids.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return pids


def wait_until_gone(started: list[int]) -> None:
    """Wait until no process of the session is left that is not a zombie."""
    (session,) = started
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if not running_in(session):
            return
        pause.wait(0.01)
    raise AssertionError(f"session {session} goes on")


def running_in(session: int) -> list[str]:
    """Return the states of its processes, from `/proc/PID/stat`: pid, name, state, …, session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            state, _, _, in_session, *_ = path.read_text().rpartition(")")[2].split()
            found += [state] * (int(in_session) == session and state not in "ZX")
    return found


def test_what_it_prints_and_returns() -> None:
    done = shell("echo out; echo err >&2; read line || echo no input; exit 3")
    assert done == Done(3, b"out\nno input\n", b"err\n")


def test_it_runs_in_a_session_of_its_own() -> None:
    done = shell("echo $$; ps -o sid= $$")
    leader, session = map(int, done.output.split())
    assert session == leader != os.getsid(0)


@pytest.mark.parametrize("script", ["sleep 3600 & wait", "exec sleep 3600 >&- 2>&-"])
def test_what_takes_too_long_is_killed_with_its_children(started: list[int], script: str) -> None:
    with pytest.raises(TimeoutError):
        shell(script, timeout_s=0.3)
    wait_until_gone(started)


def test_children_that_hold_its_output_open_are_killed_too(started: list[int]) -> None:
    with pytest.raises(TimeoutError):
        shell("sleep 3600 &", timeout_s=0.3)
    wait_until_gone(started)


def test_what_prints_too_much_is_killed_with_its_children(started: list[int]) -> None:
    with pytest.raises(OverflowError):
        shell("sleep 3600 & cat /dev/zero")
    wait_until_gone(started)


def test_what_it_leaves_behind_in_silence_goes_on() -> None:
    left = int(shell("sleep 3600 > /dev/null 2>&1 & echo $!").output)
    os.kill(left, signal.SIGKILL)  # raises when it has ended


@pytest.mark.parametrize("script", ["sleep 3600 & wait", "exec sleep 3600 >&- 2>&-"])
def test_another_thread_ends_it_with_its_children(started: list[int], script: str) -> None:
    cancel = Cancel()
    pipe, other = os.pipe()

    def cancel_it() -> None:
        os.read(pipe, 1)
        cancel.cancel()

    thread = threading.Thread(target=cancel_it)
    thread.start()
    begin = f"echo > /proc/{os.getpid()}/fd/{other}; "
    with pytest.raises(CancelledError):
        shell(begin + script, LONG_S, cancel)
    thread.join()
    os.close(pipe)
    os.close(other)
    wait_until_gone(started)


def test_what_is_cancelled_is_not_even_started(started: list[int]) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        shell("sleep 3600", LONG_S, cancel)
    assert started == []


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    shell("true")
    with pytest.raises(TimeoutError):
        shell("exec sleep 3600", timeout_s=0.01)
    with pytest.raises(FileNotFoundError):
        bounded_run(["./missing"], os.environ, PATIENCE_S, MOST)
    assert os.listdir("/proc/self/fd") == before
