"""`bpfexit diagnose` beside a real QEMU: the case it exists for, from end to end."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import BPFEXIT
from tests.integration import qemu
from tests.integration.interrupting import interrupted_after
from tests.requirements import lacking
from tests.waiting import eventually

SOME_NS = 500_000_000
"""Of a CPU's time, in which the guest reads the timer thousands of times, and notifies."""

NAME = "guest=win\x1b[31m [bold]dows"


class Running(NamedTuple):
    pid: int
    socket: str


@pytest.fixture(scope="module")
def guest(
    needs_bpf: Ready, needs_kvm: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Run QEMU until its boot sector does what it is for."""
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    folder = tmp_path_factory.mktemp("qemu")
    socket = str(folder / "qmp")
    options = ("-qmp", f"unix:{socket},server=on,wait=off")
    reads = qemu.MANY_VERSION_READS
    with qemu.running(folder, NAME, *options, version_reads=reads) as process:
        qemu.until_booted(folder, process)
        yield Running(process.pid, socket)


def run(guest: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the guest until that has run a while; again, if QEMU gave no answer."""
    return eventually(lambda: _answered(guest, *arguments, "-d", "600", "-p", str(guest.pid)))


def _answered(guest: Running, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Return what it printed; None if QEMU had no CPU to answer with."""
    done = interrupted_after(guest.pid, SOME_NS, *arguments, under=("env", "COLUMNS=80"))
    return None if "no answer " in done.stderr else done


def diagnose(guest: Running, *options: str) -> str:
    return run(guest, "diagnose", *options).stdout


@pytest.fixture(scope="module")
def documents(guest: Running) -> list[dict[str, Any]]:
    output = diagnose(guest, "-j", "--qmp", guest.socket)
    return [json.loads(line) for line in output.splitlines()]


def findings(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return those that do not hang on what else runs on this machine, by rule."""
    found = (each for each in documents if each["about"] == "finding")
    return {each["rule"]: each for each in found if each["rule"] != "cpu-starved"}


def test_the_pm_timer_is_first_and_has_the_name_that_qemu_gives_it(
    documents: list[dict[str, Any]],
) -> None:
    rule, first = next(iter(findings(documents).items()))
    assert rule == "pm-timer"
    assert (first["confidence"], first["cost_of"]) == ("high", "user")
    (seen,) = first["evidence"]
    assert (seen["address"], seen["name"], seen["named_by"]) == (qemu.PM_TIMER, "acpi-tmr", "qmp")


def test_a_hyperv_clock_is_advised_for_libvirt_and_for_qemu(
    documents: list[dict[str, Any]],
) -> None:
    finding = findings(documents)["pm-timer"]
    changes = {each["where"]: each["text"] for each in finding["fixes"]}
    assert "<timer name='hypervclock' present='yes'/>" in changes["libvirt"]
    assert "hv-time=on" in changes["QEMU"]
    assert finding["context"] == ["hv-time off"]


def test_the_apic_page_and_the_hpet_are_found_by_their_registers(
    documents: list[dict[str, Any]],
) -> None:
    found = findings(documents)
    apic = {each["address"]: each["name"] for each in found["local-apic"]["evidence"]}
    assert apic.keys() == {qemu.APIC_VERSION, qemu.APIC_EOI}
    assert "EOI" in apic[qemu.APIC_EOI]
    assert found["local-apic"]["cost_of"] in ("unknown", "exits")
    assert found["hpet"]["evidence"][0]["address"] == qemu.HPET_COUNTER


def test_the_virtio_notify_is_expected(documents: list[dict[str, Any]]) -> None:
    (expected,) = (each for each in documents if each["about"] == "expected")
    assert expected["rule"] == "virtio-notify"
    (seen,) = expected["evidence"]
    assert seen["address"] == qemu.VIRTIO_NOTIFY
    assert seen["name"] == "virtio-pci notify"


def test_without_the_map_it_is_the_same_but_less_sure(guest: Running) -> None:
    found = eventually(lambda: found_in_two_seconds(guest))
    rule, first = next(iter(found.items()))
    assert (rule, first["confidence"]) == ("pm-timer", "medium")


def found_in_two_seconds(guest: Running) -> dict[str, dict[str, Any]]:
    """Let the command end by itself; return nothing if the guest did not run meanwhile."""
    command = [*BPFEXIT, "diagnose", "-j", "-d", "2", "-p", str(guest.pid)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return findings([json.loads(line) for line in done.stdout.splitlines()])


def test_the_screen_fits_80_columns_and_a_hostile_name_is_harmless(guest: Running) -> None:
    shown = diagnose(guest, "--qmp", guest.socket)
    assert max(map(len, shown.splitlines())) <= 80
    assert "win\\x1b[31m [bold]dows" in shown
    assert "\x1b" not in shown
    assert "0x0608 read acpi-tmr: " in shown
    assert "expected: 0xc050 write virtio-pci notify" in shown


def test_ctrl_c_ends_early_and_judges_what_there_is(guest: Running) -> None:
    options = ("-d", "600", "-p", str(guest.pid))
    done = interrupted_after(guest.pid, SOME_NS, "diagnose", *options)
    assert "in user space" in done.stdout


def test_a_recording_with_its_map_says_the_same(guest: Running, tmp_path: Path) -> None:
    path = str(tmp_path / "run.jsonl.gz")
    run(guest, "record", "-o", path, "-i", "1", "--qmp", guest.socket)
    read = subprocess.run(
        [*BPFEXIT, "diagnose", "-j", "--input", path], check=True, capture_output=True, text=True
    )
    rule, first = next(
        iter(findings([json.loads(line) for line in read.stdout.splitlines()]).items())
    )
    assert rule == "pm-timer"
    assert first["context"] == ["hv-time off"]
