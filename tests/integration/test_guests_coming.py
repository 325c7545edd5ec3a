"""Guests that start, end and exec while they are shown or recorded."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bpfexit.formats.json import guest as guest_json
from bpfexit.guests.guests import Guests
from bpfexit.host.processes import descriptors
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Identity
from bpfexit.recording.reader import RecordingSource
from tests.counting import BPFEXIT, next_line, started, until_counting, write
from tests.integration import hotplug, qemu
from tests.integration.printed import run
from tests.requirements import lacking
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

ENOUGH_S = 120.0


def test_a_guest_that_ends_while_it_is_shown_says_so_and_its_counts_stay(tmp_path: Path) -> None:
    needs_qemu()
    quiet = r"\b0 (accesses|exits)/s"
    then = ("^ended", quiet, "^ended")
    lines = until_ended(tmp_path, "lived +[1-9]", then, "-b", "--by", "vm")[0]
    after = lines[max(at for at, line in enumerate(lines) if re.search(quiet, line)) :]
    assert any(line.startswith("ended: short\\x1blived") for line in after)
    total = lines[max(at for at, line in enumerate(lines) if "intervals" in line) :]
    (row,) = [line for line in total if line.startswith("short\\x1blived (ended)")]
    assert float(row.split()[2].replace(",", "")) > 0


def test_json_and_a_replay_of_it_say_who_has_ended(tmp_path: Path) -> None:
    needs_qemu()
    then = ['"ended_pids":.[0-9]'] * 3
    lines, pid = until_ended(tmp_path, r'"rows":\[{', then, "-j")
    ended = [json.loads(line)["ended_pids"] for line in lines]
    assert [key for key, _ in itertools.groupby(ended)] == [[], [pid]]
    path = tmp_path / "exits.jsonl"
    path.write_text("".join(lines))
    text = run("report", str(path), "--by", "vm")
    assert "ended: short\\x1blived" in text
    assert "short\\x1blived (ended)" in text


def until_ended(
    folder: Path, runs: str, then: Sequence[str], *arguments: str
) -> tuple[list[str], int]:
    """Run `top` beside a QEMU that is killed when a line of it matches `runs`.

    Return all of top's lines, when each of `then` has matched one in this order, and the QEMU's
    process.
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
            for pattern in then:
                until(top.stdout, lines, pattern)
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
        eventually(lambda: has_a_processor(process.pid))
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


def has_a_processor(pid: int) -> bool:
    links = descriptors(pid)
    return any(link and link.startswith("anon_inode:kvm-vcpu:") for link in links)


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
