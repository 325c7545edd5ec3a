"""The live screen in a real terminal: it shows the guest, answers keys, and leaves no trace."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import BPFEXIT

ENOUGH_S = 60.0
DEMO = resources.files("bpfexit") / "data" / "svm-demo.jsonl.gz"
ALTERNATE_ON, ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """`bpfexit top` in a pseudo-terminal of 120 by 40."""

    def __init__(self, *arguments: str) -> None:
        self.master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (40, 120))
        self.before = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [*BPFEXIT, "top", *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=subprocess.PIPE,
            env=os.environ | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def until(self, pattern: str) -> str:
        """Read until the pattern has been seen since the last call; return what was read."""
        end = time.monotonic() + ENOUGH_S
        while time.monotonic() < end:
            found = re.search(pattern, self.seen, re.DOTALL)
            if found:
                read, self.seen = self.seen[: found.end()], self.seen[found.end() :]
                return read
            if select.select([self.master], [], [], 1)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
        raise AssertionError(f"no {pattern!r} in {self.seen[-2000:]!r}")

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._slave, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def attributes(self) -> Any:
        return termios.tcgetattr(self._slave)

    def end(self) -> int:
        return self.process.wait(ENOUGH_S)


@pytest.fixture(scope="module")
def guest(needs_bpf: Ready, needs_kvm: None) -> Iterator[int]:
    """Run a guest that reads the PM timer; return its pid."""
    command = [*BPFEXIT, "testguest", "--rate", "2000", "--mix", "pio-read-user=20,msr-read=3"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process.pid
        process.terminate()


@pytest.fixture
def terminal(guest: int) -> Iterator[Terminal]:
    opened = Terminal("-i", "0.3", "-p", str(guest))
    yield opened
    if opened.process.poll() is None:
        opened.process.kill()
        opened.process.wait()


def test_it_shows_the_guests_port_and_quits_with_a_summary(terminal: Terminal) -> None:
    terminal.until(re.escape(ALTERNATE_ON))
    terminal.until("0x0608 read")
    terminal.type("q")
    terminal.until(re.escape(ALTERNATE_OFF))
    assert "0x0608 read" in terminal.until("since start or reset.*0x0608 read")
    assert terminal.end() == 0
    assert terminal.attributes() == terminal.before


def test_the_space_bar_and_the_arrows_change_the_view(terminal: Terminal) -> None:
    terminal.until("0x0608 read")
    terminal.type("\x1b[D")
    terminal.until("msr 0x000001a0 read")
    terminal.type("\x1b[C")
    terminal.until("0x0608 read")


def test_help_filter_sort_and_pause_answer(terminal: Terminal) -> None:
    terminal.until("0x0608 read")
    terminal.type("h")
    terminal.until("quit, with the summary")
    terminal.type("h")
    terminal.until("0x0608 read")
    terminal.type("f1a0\r")
    assert "0x0608" not in terminal.until("filter: 1a0").rpartition("\x1b[H")[2]
    terminal.type("o")
    terminal.until("sorted by time|sorted by mean")
    terminal.type("p")
    terminal.until("paused")


def test_the_cost_is_measured_at_the_start_and_on_a_key(terminal: Terminal) -> None:
    line = r"cost: programs [^;]*\((\d\d:\d\d:\d\d)\); bpfexit [\d.]+% of a core"
    first = re.search(line, terminal.until(line))
    assert first
    time.sleep(1.1)  # so that the clock shows another second
    terminal.type("c")
    terminal.until(line.replace(r"(\d\d:\d\d:\d\d)", f"(?!{first[1]})[\\d:]+"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal_and_ends_with_the_summary(
    terminal: Terminal, number: signal.Signals
) -> None:
    terminal.until("0x0608 read")
    assert terminal.attributes() != terminal.before
    terminal.process.send_signal(number)
    terminal.until(re.escape(ALTERNATE_OFF))
    terminal.until("since start or reset")
    assert terminal.end() == 0
    assert terminal.attributes() == terminal.before


def test_into_a_pipe_it_prints_plain_tables(guest: int) -> None:
    done = subprocess.run(
        [*BPFEXIT, "top", "0.3", "2", "-p", str(guest)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert "\x1b" not in done.stdout
    assert done.stdout.count("0x0608 read") == 3  # two intervals and their sum
    assert "all 2 intervals" in done.stdout
    assert "Ctrl-C ends" in done.stderr


def test_a_reader_that_goes_away_is_no_error(guest: int) -> None:
    command = (
        f"{sys.executable} -m bpfexit top -j 0.1 -p {guest} | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    first, status = done.stdout.splitlines()
    assert first.startswith('{"schema":"bpfexit.snapshot/2"')
    assert status == "0"
    assert "Traceback" not in done.stderr


def test_the_end_of_the_guest_is_no_end_of_the_count(needs_bpf: Ready, needs_kvm: None) -> None:
    with subprocess.Popen(
        [*BPFEXIT, "top", "-b", "0.3", "4"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "160"},  # other guests may make the header long
    ) as top:
        subprocess.run(
            [*BPFEXIT, "testguest", "--mix", "pio-write-user=97", "--rounds", "1"],
            check=True,
            capture_output=True,
        )
        assert top.stdout
        shown = top.stdout.read()
    assert top.returncode == 0
    assert "all 4 intervals" in shown


@pytest.fixture
def replay() -> Iterator[Terminal]:
    opened = Terminal("--replay", str(DEMO))
    yield opened
    opened.process.kill()
    opened.process.wait()


def test_a_recording_is_stepped_by_key(replay: Terminal) -> None:
    replay.type("n")
    replay.until(r"14,454 in 1\.41 s.*paused")
    replay.type("nn")
    replay.until(r"12,777 in 1\.00 s.*paused.*13,818 in 1\.00 s.*paused")
    replay.type("n" * 9)
    replay.until(r"12,797 in 1\.42 s.*paused, end of the recording")
    replay.type("q")
    replay.until("104,584 in")
    assert replay.end() == 0


def test_a_resized_screen_is_drawn_anew_at_once(replay: Terminal) -> None:
    replay.type("n")
    replay.until(r"paused.*h help")
    assert "more lines" not in replay.seen
    replay.resize(16, 120)
    replay.until(r"more lines \(a larger window shows more, f filters\).*h help")
