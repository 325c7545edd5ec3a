"""Guests that start, grow and end while they are shown; names as hostile as can be, everywhere."""

import gzip
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bpfexit.formats.json import guest as guest_json
from bpfexit.guests.guests import Guests
from bpfexit.host.preflight import Ready
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Identity
from bpfexit.recording.reader import RecordingSource
from tests.counting import BPFEXIT, next_line, started, until_counting, write
from tests.integration import hotplug, qemu
from tests.integration.test_top_screen import Terminal
from tests.requirements import lacking

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

ENOUGH_S = 120.0
DEMO = Path(__file__).parents[2] / "bpfexit" / "data" / "svm-demo.jsonl.gz"
HOSTILE = [
    b"\x1b]0;evil\x07\x1b[2Jcleared",
    b"[bold red]marked[/bold red][link=file:///etc]:smile:",
    b"line\nfeed\r\nreturn\ttab",
    b"x" * 4096,
    b"\xff\xfe\xc3bytes",
    b"",
    "\u202egnp.exe\u2028\u200bturned".encode(),
    b'quote"back\\slash;semi,,colon',
]
SHOWN = [
    "\\x1b]0;evil\\x07\\x1b[2Jcleared",
    "[bold red]marked[/bold red][link=file:///etc]:smile:",
    "line\\nfeed\\r\\nreturn\\ttab",
    "x" * 100,
    "\ufffd\ufffd\ufffdbytes",
    "pid:",
    "\\u202egnp.exe\\u2028\\u200bturned",
    'quote"back\\slash;semi,colon',
]


def named(name: bytes, *arguments: str) -> list[str | bytes]:
    """Return a command that runs a guest as if it were QEMU with that name."""
    argv = ["bpfexit", "testguest", *arguments]
    code = f"import sys; sys.argv = {argv!r}; from bpfexit.__main__ import main; main()"
    return [sys.executable, "-c", code, "-name", b"guest=" + name]


def run(*arguments: str) -> str:
    """Return what a command prints; wide enough that no name is cut."""
    done = subprocess.run(
        [*BPFEXIT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "300"},
    )
    assert done.returncode == 0, done.stderr
    assert_harmless(done.stderr)
    return done.stdout


def assert_harmless(text: str) -> None:
    assert {each for each in text if not each.isprintable()} <= {"\n"}


@pytest.fixture(scope="module")
def hostile(needs_bpf: Ready, needs_kvm: None) -> Iterator[None]:
    """Run a guest for each hostile name."""
    with ExitStack() as stack:
        for name in HOSTILE:
            command = named(name, "--rate", "500", "--mix", "pio-read-kernel=20", "--wait")
            pipe = subprocess.PIPE
            process = stack.enter_context(
                subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            )
            stack.callback(process.terminate)
            next_line(process)
            write(process, "\n")
        yield


@pytest.fixture(scope="module")
def recording(hostile: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "exits.jsonl.gz"
    run("record", "-o", str(path), "-i", "0.5", "-d", "1")
    return path


@pytest.fixture(scope="module")
def latencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of a back end with latencies, whose guests have the hostile names."""
    line = gzip.decompress(DEMO.read_bytes()).splitlines()[-1]
    known = json.loads(line)
    lines = []
    for pid, name in enumerate(HOSTILE, 5000):
        document = json.loads(line)
        for each in [*document["rows"], *document["vcpus"]]:
            each |= {"vm": name.replace(b",,", b",").decode(errors="replace"), "pid": pid}
        known["rows"] += document["rows"]
        known["vcpus"] += document["vcpus"]
    lines = [json.dumps(known)]
    path = tmp_path_factory.mktemp("latencies") / "exits.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def assert_all_shown(text: str) -> None:
    assert_harmless(text)
    assert [each for each in SHOWN if each not in text] == []


@pytest.mark.parametrize("by", ["vm", "vcpu,port"])
def test_tables_show_them_as_harmless_text(hostile: None, by: str) -> None:
    assert_all_shown(run("top", "-b", "--by", by, "-n", "0", "0.5", "1"))


def test_json_keeps_them(hostile: None, recording: Path) -> None:
    text = run("top", "-j", "0.5", "1")
    assert text.isascii()
    assert_harmless(text)
    names = {each["vm"] for each in json.loads(text)["vcpus"]}
    expected = {name.replace(b",,", b",").decode(errors="replace") for name in HOSTILE if name}
    assert {name[:255] for name in expected} <= {name.removesuffix("…") for name in names}


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--by", "vm,port"),
        ("report", "--timeline", "--by", "vm"),
        ("top", "-b", "--by", "vm", "-n", "0", "--replay"),
        ("diff", "--by", "vm"),
        ("hist", "-f", "folded", "--input"),
    ],
)
def test_a_recording_of_them_is_harmless(
    recording: Path, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    files = [str(recording)]
    if arguments[0] == "diff":
        part = tmp_path / "part.jsonl"
        lines = gzip.decompress(recording.read_bytes()).splitlines(keepends=True)
        part.write_bytes(b"".join(line for line in lines[:-1] if b"bpfexit.guest" not in line))
        files.append(str(part))
    text = run(*arguments, *files)
    assert_harmless(text)
    shown = SHOWN if "--timeline" not in arguments else [each[:20] for each in SHOWN]
    if arguments[0] == "diff":  # guests without a name have one in common there
        shown = [each.replace("pid:", "pid:*") for each in shown]
    if arguments[0] == "hist":
        shown = [each.replace(";", ":").replace(" ", "_") for each in shown]
    assert [each for each in shown if each not in text] == []


@pytest.mark.parametrize(
    "form", ["text", "json", "csv", "hgrm", "bpftrace", "openmetrics", "folded"]
)
def test_every_histogram_of_them_is_harmless(latencies: Path, form: str) -> None:
    one = ["-n", "1"] if form == "hgrm" else []
    text = run("hist", "-f", form, "--by", "vm,reason", "--input", str(latencies), *one)
    assert text
    assert {each for each in text if not each.isprintable()} <= set("\n\t")


def test_the_live_screen_shows_them_as_harmless_text(hostile: None) -> None:
    terminal = Terminal("-i", "0.3", "--by", "vm")
    try:
        seen = terminal.until(re.escape("\\x1b]0;evil"))
        seen += terminal.until(re.escape("line\\nfeed"))
        terminal.type("q")
        seen += terminal.until("since start or reset")
        terminal.end()
    finally:
        terminal.process.kill()
    assert "\x1b]" not in seen
    assert "\x07" not in seen
    assert "\u202e" not in seen


def test_a_guest_that_ends_while_it_is_shown_says_so_and_its_counts_stay(tmp_path: Path) -> None:
    needs_qemu()
    lines = until_ended(tmp_path, "lived +[1-9]", "^ended", "-b", "--by", "vm")[0]
    after = lines[max(at for at, line in enumerate(lines) if "0 accesses/s" in line) :]
    assert any(line.startswith("ended: short\\x1blived") for line in after)
    total = lines[max(at for at, line in enumerate(lines) if "intervals" in line) :]
    (row,) = [line for line in total if line.startswith("short\\x1blived (ended)")]
    assert int(row.split()[2].replace(",", "")) > 0


def test_json_and_a_replay_of_it_say_who_has_ended(tmp_path: Path) -> None:
    needs_qemu()
    lines, pid = until_ended(tmp_path, r'"rows":\[{', '"ended_pids":.[0-9]', "-j")
    ended = [json.loads(line)["ended_pids"] for line in lines]
    assert [key for key, _ in itertools.groupby(ended)] == [[], [pid]]
    path = tmp_path / "exits.jsonl"
    path.write_text("".join(lines))
    text = run("report", str(path), "--by", "vm")
    assert "ended: short\\x1blived" in text
    assert "short\\x1blived (ended)" in text


def until_ended(folder: Path, runs: str, ended: str, *arguments: str) -> tuple[list[str], int]:
    """Run `top` beside a QEMU that is killed when a line of it matches `runs`.

    Return top's lines up to some after one that matches `ended`, and the QEMU's process.
    """
    with qemu.running(folder, "guest=short\x1blived") as process:
        command = [*BPFEXIT, "top", *arguments, "-p", str(process.pid), "0.3"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"COLUMNS": "120"}
        ) as top:
            until_counting(top)
            assert top.stdout
            lines: list[str] = []
            until(top.stdout, lines, runs)
            process.kill()
            process.wait()
            until(top.stdout, lines, ended)
            time.sleep(1)
            top.send_signal(signal.SIGINT)
            lines += top.stdout.readlines()
            assert top.wait() == 0
    return lines, process.pid


def until(stream: Any, lines: list[str], pattern: str) -> None:
    """Read lines until one matches."""
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        lines.append(stream.readline())
        if re.search(pattern, lines[-1]):
            return
    raise AssertionError(f"no {pattern!r} in {lines[-20:]}")


def needs_qemu() -> None:
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")


def test_a_guest_and_a_processor_that_come_later_appear(tmp_path: Path) -> None:
    needs_qemu()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*BPFEXIT, "top", "-j", "0.3"], stdout=pipe, stderr=pipe, text=True
    ) as top:
        until_counting(top)
        assert top.stdout
        with hotplug.running(tmp_path, "guest=growing") as (process, monitor):
            found = accesses(top.stdout, process.pid, (0, qemu.PM_TIMER), least=20_000)
            assert found[1] == {0}
            hotplug.plug_a_processor(monitor)
            found = accesses(top.stdout, process.pid, (1, hotplug.OTHERS_PORT), least=100)
            assert found == ({"growing"}, {0, 1})
        top.terminate()
        top.communicate()


def accesses(
    stream: Any, pid: int, place: tuple[int, int], least: int
) -> tuple[set[str], set[int]]:
    """Read until so many accesses of a vCPU to a port are seen; return names and vCPUs."""
    names, vcpus, count = set(), set(), 0
    end = time.monotonic() + ENOUGH_S
    while time.monotonic() < end:
        rows = [row for row in json.loads(stream.readline())["rows"] if row["pid"] == pid]
        names |= {row["vm"] for row in rows}
        vcpus |= {row["vcpu"] for row in rows}
        count += sum(row["count"] for row in rows if (row["vcpu"], row["address"]) == place)
        if count >= least:
            return names, vcpus
    raise AssertionError(f"only {count} accesses to {place} of {vcpus}")


def test_a_recording_holds_what_is_known_and_no_secret(tmp_path: Path) -> None:
    needs_qemu()
    path = tmp_path / "exits.jsonl"
    with hotplug.running(tmp_path, "guest=known,debug-threads=on") as (process, _):
        run("record", "-o", str(path), "-i", "0.3", "-d", "0.7", "-p", str(process.pid))
    guests = [guest for line in path.read_text().splitlines() if (guest := guest_json.decode(line))]
    (guest,) = guests
    assert (guest.pid, guest.name, guest.named_by) == (process.pid, "known", "qemu")
    assert (guest.vmm, guest.ended) == ("qemu", False)
    assert guest.options == (
        ("accel", "kvm"),
        ("machine", "pc"),
        ("m", "64"),
        ("smp", "1,maxcpus=2"),
        ("nodefaults", ""),
        ("drive", "format=raw,if=ide"),
    )
    assert str(tmp_path) not in path.read_text()
    source = RecordingSource(path, Filter())
    first = source.next()
    assert first
    assert first.guests == (guest,)
    assert first.origin.facts.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert any(name.startswith("kvm.") for name in first.origin.facts.parameters)


def test_an_exec_makes_another_guest_of_a_process() -> None:
    code = (
        "import os, sys; print(1, flush=True); sys.stdin.readline(); "
        "os.execv(sys.executable, ['qemu', '-c', 'print(2, flush=True); input()', '-name', 'new'])"
    )
    known = Guests()
    with started([sys.executable, "-c", code, "-name", "old"]) as process:
        next_line(process)
        identity = {Identity(process.pid): True}
        (old,) = known.update(identity)
        assert (old.name, old.ended) == ("old", False)
        write(process, "\n")
        next_line(process)
        found = [(each.name, each.ended) for each in known.update(identity)]
        assert found == [("old", True), ("new", False)]
        process.kill()
        process.wait()
        assert all(each.ended for each in known.update(identity))
