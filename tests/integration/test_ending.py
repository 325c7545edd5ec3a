"""Commands that count: whatever happens to their streams, terminal and child, they end well."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bpfexit.model.filter import Filter
from bpfexit.recording.total import total
from tests.ending import BPFEXIT, ENOUGH_S, OnTerminal, ended, ignoring, small_pipe
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

STUBBORN = "trap '' TERM; echo ready; read line; echo it went on; exit 3"
INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "bcc":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from bpfexit.__main__ import main
main()
"""


def said_until(process: subprocess.Popen[str], text: str) -> str:
    """Read its stderr up to the line that has this."""
    assert process.stderr
    said = ""
    patience = threading.Timer(ENOUGH_S, give_up, [process])
    patience.start()
    for line in process.stderr:
        said += line
        if text in line:
            patience.cancel()
            return said
    raise AssertionError(f"no {text!r} in {said!r}")


def give_up(process: subprocess.Popen[str]) -> None:
    """End the process, and a command of it that reads the same input."""
    process.kill()
    if process.stdin:
        process.stdin.close()


@contextmanager
def recording(path: Path, *command: str, prefix: tuple[str, ...] = ()) -> Iterator[OnTerminal]:
    """Start `record` on a terminal of its own; yield when it counts."""
    shown = OnTerminal(*prefix, *BPFEXIT, "record", "-o", str(path), "-i", "0.1", *command)
    try:
        said_until(shown.process, "recording to")
        yield shown
    finally:
        shown.process.kill()
        shown.process.wait()


def test_a_closed_terminal_ends_a_recording_with_its_summary(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    with recording(path) as shown:
        shown.hang_up()
        code, said = ended(shown.process)
    assert code == 0
    assert "lost: nothing" in said
    assert total(path, Filter()).cut is None


def test_with_a_terminal_a_hangup_opens_no_file_again(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    with recording(path) as shown:
        path.unlink()
        shown.process.send_signal(signal.SIGHUP)
        code, said = ended(shown.process)
    assert code == 1  # as the file was removed meanwhile, and is not opened again
    assert "was removed" in said
    assert not path.exists()


def grown(path: Path, before: int) -> bool:
    return path.stat().st_size > before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_ignored_from_the_start_ends_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    path, moved = tmp_path / "exits.jsonl", tmp_path / "moved.jsonl"
    with recording(path, prefix=tuple(ignoring(number))) as shown:
        path.rename(moved)
        for _ in range(2):
            shown.process.send_signal(number)
            eventually(partial(grown, moved, moved.stat().st_size), ENOUGH_S)
        shown.process.send_signal(signal.SIGTERM)
        assert ended(shown.process)[0] == 0
    assert not path.exists()


def test_a_closed_terminal_ends_the_command_too(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    script = "trap '' HUP; echo ready; exec sleep 600"
    with recording(path, "--", "sh", "-c", script) as shown:
        shown.until("ready")
        shown.hang_up()
        assert ended(shown.process)[0] == 128 + signal.SIGTERM
    assert total(path, Filter()).cut is None


def test_a_command_that_ignores_sigterm_is_left_at_the_second(tmp_path: Path) -> None:
    path = tmp_path / "exits.jsonl"
    command = [*BPFEXIT, "record", "-o", str(path), "--", "sh", "-c", STUBBORN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as tracer:
        assert tracer.stdout
        assert tracer.stdout.readline() == "ready\n"
        tracer.terminate()
        said_until(tracer, "a second Ctrl-C leaves it running")
        tracer.terminate()
        assert tracer.wait(ENOUGH_S) == 128 + signal.SIGTERM
        assert tracer.stderr
        assert tracer.stderr.readline().endswith("is still running\n")
        assert tracer.communicate("\n", ENOUGH_S)[0] == "it went on\n"
    assert total(path, Filter()).cut is None


@pytest.mark.parametrize("kind", ["gone", "full", "stalled"])
def test_a_recording_and_its_command_need_no_reader_of_stderr(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "exits.jsonl"
    shell = ("sh", "-c", "echo ran; exit 5")
    command = [*BPFEXIT, "record", "-i", "3600", "-o", str(path), "--", *shell]
    with small_pipe() as (_, writer), Path("/dev/full").open("w") as full:
        os.write(writer, bytes(4096))
        gone_reader, gone = os.pipe()
        os.close(gone_reader)
        stderr = {"gone": gone, "full": full.fileno(), "stalled": writer}[kind]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, timeout=ENOUGH_S
        )
        os.close(gone)
    assert (done.returncode, done.stdout) == (5, "ran\n")
    assert total(path, Filter()).intervals == 1


@pytest.mark.parametrize("command", ["top", "top -j", "record", "slow", "hist -f folded", "doctor"])
def test_ctrl_c_before_it_counts_leaves_nothing(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [BPFEXIT[0], "-c", INTERRUPTED_IMPORT, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=ENOUGH_S,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
