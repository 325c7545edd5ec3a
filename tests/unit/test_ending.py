"""Commands that read a recording: streams that fail, terminals that go, signals at any time."""

import os
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from tests.ending import (
    BPFEXIT,
    ENOUGH_S,
    OnTerminal,
    catches,
    ended,
    ignoring,
    small_pipe,
    waits_for_a_reader,
)
from tests.waiting import eventually

DEMO = str(Path(__file__).parents[2] / "bpfexit" / "data" / "svm-demo.jsonl.gz")
COMMANDS = [
    "--help",
    "--version",
    "top --help",
    f"top -b --replay {DEMO}",
    f"top -j --replay {DEMO}",
    f"report {DEMO}",
    f"report --timeline {DEMO}",
    f"diff {DEMO} {DEMO}",
    f"diff -j {DEMO} {DEMO}",
    f"hist --input {DEMO}",
    f"diagnose --input {DEMO}",
    f"diagnose -j --input {DEMO}",
    "diagnose --rules",
    "diagnose --explain pm-timer",
    "doctor",
    "doctor -j",
    "testguest --list",
]
TALKING = [
    ("top --nonsense", 2),
    ("top 1 -i 2", 2),
    ("nonsense", 2),
    ("report /nonexistent", 2),
    ("report /dev/null", 1),
    ("diagnose --explain nonsense", 2),
]
INTERRUPT = """
import os, runpy, signal, sys
from importlib.metadata import entry_points

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == where:
            os.kill(os.getpid(), signal.SIGINT)

how, where = sys.argv.pop(1), sys.argv.pop(1)
if where == "exit":
    import atexit
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
if how == "module":
    runpy.run_module("bpfexit", run_name="__main__", alter_sys=True)
else:
    (script,) = entry_points(group="console_scripts", name="bpfexit")
    script.load()()
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_output_on_a_full_disk_is_one_sentence_and_exit_1(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*BPFEXIT, *command.split()],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    why = "bpfexit: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, why)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_of_the_output_that_has_gone_is_no_error(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*BPFEXIT, *command.split()], check=False, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("command", "code"), TALKING)
def test_talk_that_cannot_be_written_changes_no_exit_code(command: str, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("w") as full:
        for stderr in (writer, full):
            done = subprocess.run(
                [*BPFEXIT, *command.split()], check=False, stdout=subprocess.PIPE, stderr=stderr
            )
            assert (done.returncode, done.stdout) == (code, b"")
    os.close(writer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_write_to_a_stalled_reader(number: signal.Signals) -> None:
    with small_pipe() as (reader, writer):
        process = subprocess.Popen(
            [*BPFEXIT, "top", "-j", "--replay", DEMO],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert os.read(reader, 1) == b"{"
        process.send_signal(number)
        code, said = ended(process)
    assert (code, said.count("\n")) == (1, 1)
    assert "nothing reads standard output" in said


def test_a_signal_ends_a_write_to_a_stopped_terminal() -> None:
    master, slave = os.openpty()
    termios.tcflow(slave, termios.TCOOFF)
    process = subprocess.Popen(
        [*BPFEXIT, "top", "-b", "--replay", DEMO],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: waits_for_a_reader(process.pid), ENOUGH_S)
    process.send_signal(signal.SIGTERM)
    code, said = ended(process)
    os.close(master)
    os.close(slave)
    assert code == 1
    assert "nothing reads standard output" in said


@pytest.mark.parametrize("prefix", [[], ignoring(signal.SIGHUP)], ids=["", "ignored"])
def test_a_closed_terminal_ends_the_screen(prefix: list[str]) -> None:
    shown = OnTerminal(*prefix, *BPFEXIT, "top", "--replay", DEMO)
    shown.until("? help")
    shown.hang_up()
    assert ended(shown.process) == (0, "")


def test_a_closed_terminal_ends_tables() -> None:
    shown = OnTerminal(*BPFEXIT, "top", "-b", "--replay", DEMO)
    os.write(shown.master, b"\x13")  # Ctrl-S: nothing is printed before it is closed
    eventually(lambda: catches(shown.process.pid, signal.SIGHUP), ENOUGH_S)
    shown.hang_up()
    assert ended(shown.process) == (0, "")


@pytest.mark.parametrize("how", ["module", "script"])
@pytest.mark.parametrize(
    "where", ["bpfexit.cli", "click", "bpfexit.commands.report", "numpy", "rich.console", "exit"]
)
def test_ctrl_c_ends_the_start_and_the_end_without_a_word(how: str, where: str) -> None:
    code = ["-c", INTERRUPT, how, where]
    done = subprocess.run(
        [BPFEXIT[0], *code, "report", DEMO],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=ENOUGH_S,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
