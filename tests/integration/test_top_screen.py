"""The live screen in a real terminal: it shows the guest, answers keys, and leaves no trace."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import resources

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import BPFEXIT, running
from tests.integration.interrupting import interrupted_when
from tests.terminal import ALTERNATE_OFF, ALTERNATE_ON, Terminal

DEMO = resources.files("bpfexit") / "data" / "svm-demo.jsonl.gz"
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
PAGE_UP, PAGE_DOWN, HOME, END = "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F"


@pytest.fixture(scope="module")
def guest(needs_bpf: Ready, needs_kvm: None) -> Iterator[int]:
    """Run a guest that reads the PM timer; return its pid."""
    with running(["--rate", "2000", "--mix", "pio-read-user=20,msr-read=3"]) as pid:
        yield pid


@pytest.fixture
def terminal(guest: int) -> Iterator[Terminal]:
    opened = Terminal("-i", "0.3", "-p", str(guest))
    yield opened
    opened.kill()


def test_it_shows_the_guests_port_and_quits_with_a_summary(terminal: Terminal) -> None:
    terminal.until_written(re.escape(ALTERNATE_ON))
    terminal.until("0x0608 read")
    terminal.type("q")
    terminal.until_written(re.escape(ALTERNATE_OFF))
    assert "0x0608 read" in terminal.until_written("since start or reset.*0x0608 read")
    assert terminal.end() == 0
    assert terminal.attributes() == terminal.before


def test_the_views_change_by_tab_and_number(terminal: Terminal) -> None:
    shown = terminal.until("0x0608 read")
    place = re.search(r"(\d) msr", shown)
    assert place
    terminal.type(place[1])
    only_msr = r"\A(?!.*0x0608).*msr 0x000001a0 read"
    terminal.until(only_msr)
    terminal.type("\t")
    terminal.until("guest +(guest|QEMU)%|0x0608 read")
    terminal.type("\x1b[Z")
    terminal.until(only_msr)


def test_help_filter_sort_and_pause_answer(terminal: Terminal) -> None:
    terminal.until("0x0608 read")
    terminal.type("h")
    terminal.until("quit, with the summary")
    terminal.type("h")
    terminal.until("0x0608 read")
    terminal.type("f1a0\r")
    terminal.until(r"\A(?!.*0x0608).*filter 1a0")
    before = re.search("by ([^,]+),", terminal.shown)
    assert before
    terminal.type("o")
    terminal.until(f"by (?!{re.escape(before[1])},)")
    terminal.type("p")
    terminal.until("paused")


def pause_at(terminal: Terminal, pattern: str) -> None:
    """Pause at an interval that has it: the next one may have no rows, and nothing to open."""
    while True:
        terminal.until(rf"\A(?!.*paused).*{pattern}")
        terminal.type("p")
        terminal.until("paused")
        if re.search(pattern, terminal.settle()):
            return
        terminal.type("p")


def test_a_guest_and_its_port_are_opened(terminal: Terminal) -> None:
    pause_at(terminal, "0x0608 read")
    terminal.type("1")
    terminal.until("guest +(guest|QEMU)%")
    terminal.type("\r")
    terminal.until("all guests > .*vCPU +(guest|QEMU)%")
    terminal.type(END + PAGE_UP + HOME)
    terminal.type("1" + DOWN * 9 + UP * 9)
    place = re.search(r"(\d) port", terminal.shown)
    assert place
    terminal.type(place[1] + HOME + "\r")
    terminal.until("all guests > .* > 0x0608 read acpi-tmr")
    terminal.type("\x1b")
    terminal.until("vCPU +(guest|QEMU)%|reason|address")


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
    terminal.until_written(re.escape(ALTERNATE_OFF))
    terminal.until_written("since start or reset")
    assert terminal.end() == 0
    assert terminal.attributes() == terminal.before


def test_into_a_pipe_it_prints_plain_tables(guest: int) -> None:
    done = interrupted_when(
        lambda printed: printed.count("0x0608 read") == 2,
        *("top", "0.3", "-p", str(guest)),
        under=("env", "COLUMNS=100"),
    )
    assert "\x1b" not in done.stdout
    *intervals, total = done.stdout.strip().split("\n\n")
    assert sum("0x0608 read" in table for table in intervals) >= 2
    assert "0x0608 read" in total
    assert f"all {len(intervals)} intervals" in total
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
    opened.kill()


def test_a_recording_is_stepped_by_key(replay: Terminal) -> None:
    replay.type("n")
    replay.until(r"14,454 in 1\.41 s.*paused at 1")
    replay.type("n")
    replay.until(r"12,777 in 1\.00 s.*paused at 2")
    replay.type("]")
    replay.until(r"13,818 in 1\.00 s.*paused at 3")
    replay.type("n" * 9)
    replay.until(r"12,797 in 1\.42 s.*end of the recording")
    replay.type("q")
    replay.until_written("104,584 in")
    assert replay.end() == 0


def test_a_resized_screen_is_drawn_anew_at_once(replay: Terminal) -> None:
    replay.type("n")
    assert "lines 1-" not in replay.until(r"paused.*\? help")
    for lines, columns in ((16, 120), (24, 80), (60, 200), (3, 20), (40, 120)):
        replay.resize(lines, columns)
        replay.until_written(re.escape("\x1b[2J"))
        assert ("lines 1-" in replay.until(r"\? help")) == (lines <= 20)
    assert "lines 1-" not in replay.shown


def test_what_is_shown_after_many_keys_is_what_a_repaint_shows(replay: Terminal) -> None:
    """Every key of the screen, then Ctrl-L: an emulator shows the same cells as before."""
    replay.type("n")
    replay.until("paused at 1")
    keys = ["\t", "\x1b[Z", *"12345678", UP, DOWN, LEFT, RIGHT, PAGE_UP, PAGE_DOWN, HOME, END]
    keys += ["\r", "\x1b", "j", "k", "o", "O", "x", "x", "t", "t", "b", "h", "h", "/0x\x17\x15\r"]
    keys += ["gdemo\r", "\x1b", "Cper s\r", "C\x15\r", "fpio\x1b", "[", "]", "{", "}", ":2\r", "r"]
    for key in keys:
        replay.type(key)
        before = replay.settle()
        replay.raw = ""
        replay.type("\x0c")
        replay.until_written(re.escape("\x1b[2J"))
        assert replay.settle() == before, repr(key)
    assert replay.process.poll() is None


def test_ctrl_z_gives_the_terminal_to_the_shell_and_takes_it_back() -> None:
    """A shell with job control runs it, as a user's does."""
    script = f"stty -echo; {' '.join(BPFEXIT)} top --replay {DEMO}; stty -a; echo stopped; fg"
    shell = Terminal(command=("bash", "--norc", "-i", "-c", f"set -m; {script}"))
    try:
        shell.type("n")
        shell.until(r"paused at 1")
        shell.type("\x1a")
        shell.until_written(re.escape(ALTERNATE_OFF))
        assert " icanon" in shell.until_written("icanon.*stopped")
        shell.until_written(re.escape(ALTERNATE_ON))
        shell.until(r"paused at 1")
        shell.type("q")
        shell.until_written("since start or reset")
    finally:
        shell.kill()
