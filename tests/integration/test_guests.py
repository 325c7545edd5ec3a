"""Guests that start, grow and end while they are shown; names as hostile as can be, everywhere."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import intervals_so_far, next_line, write
from tests.integration.interrupting import interrupted_when
from tests.integration.printed import assert_harmless, run
from tests.integration.recorded import ended
from tests.integration.recorded import recording as recording_into
from tests.terminal import Terminal
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

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


@pytest.fixture(scope="module")
def hostile(needs_bpf: Ready, needs_kvm: None) -> Iterator[set[int]]:
    """Run a guest for each hostile name; yield their processes."""
    pids = set()
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
            pids.add(process.pid)
        yield pids


@pytest.fixture(scope="module")
def recording(hostile: set[int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two intervals or more, in which each of the guests has exits."""
    path = tmp_path_factory.mktemp("hostile") / "exits.jsonl.gz"
    with recording_into(path, "-i", "0.5") as tracer:
        eventually(lambda: hostile <= recorded_pids(path))
        said = ended(tracer)
    assert_harmless(said)
    return path


def recorded_pids(path: Path) -> set[int]:
    """Return whose exits a recording has that is being written."""
    return {pid for each in intervals_so_far(path) for pid in each.rows["pid"].tolist()}


def pids_in(line: str) -> set[int]:
    """Return whose exits an interval has."""
    return {row["pid"] for row in json.loads(line)["rows"]}


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


def all_shown(text: str) -> bool:
    return all(each in text for each in SHOWN)


@pytest.mark.parametrize("by", ["vm", "vcpu,port"])
def test_tables_show_them_as_harmless_text(hostile: set[int], by: str) -> None:
    options = ("-b", "--by", by, "-n", "0", "0.5")
    done = interrupted_when(all_shown, "top", *options, under=("env", "COLUMNS=300"))
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)


def test_json_keeps_them(hostile: set[int]) -> None:
    done = interrupted_when(
        lambda text: any(hostile <= pids_in(line) for line in text.splitlines()[-1:]),
        *("top", "-j", "0.5"),
    )
    assert done.stdout.isascii()
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)
    line = next(line for line in done.stdout.splitlines() if hostile <= pids_in(line))
    names = {each["vm"] for each in json.loads(line)["vcpus"]}
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


def test_the_live_screen_shows_them_as_harmless_text(hostile: set[int]) -> None:
    terminal = Terminal("-i", "0.3", "--by", "vm")
    try:
        terminal.until(re.escape("\\x1b]0;evil"))
        terminal.until(re.escape("line\\nfeed"))
        terminal.type("q")
        seen = terminal.until_written("since start or reset")
        terminal.end()
    finally:
        terminal.kill()
    assert "\x1b]" not in seen
    assert "\x07" not in seen
    assert "\u202e" not in seen
