"""Before and after: a real QEMU whose guest reads the ACPI PM timer, and one that does not."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import BPFEXIT
from tests.integration import qemu
from tests.integration.interrupting import interrupted_after
from tests.requirements import lacking

SOME_NS = 1_000_000_000
"""Of a CPU's time, in which the guest notifies tens of times."""


@pytest.fixture(scope="module")
def recordings(
    needs_bpf: Ready, needs_kvm: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[bool, str]:
    """Return a recording of each: the boot sector has had a CPU for `SOME_NS`."""
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    return {timer: _recorded(tmp_path_factory.mktemp("qemu"), timer) for timer in (True, False)}


def _recorded(folder: Path, reads_timer: bool) -> str:
    path = str(folder / "run.jsonl.gz")
    reads = qemu.MANY_VERSION_READS
    with qemu.running(folder, "guest=win", reads_timer=reads_timer, version_reads=reads) as process:
        qemu.until_booted(folder, process)
        options = ("-o", path, "-p", str(process.pid))
        interrupted_after(process.pid, SOME_NS, "record", *options)
    return path


def lines(*command: str) -> list[dict[str, Any]]:
    found = subprocess.run([*BPFEXIT, *command], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_diff_shows_that_the_timer_reads_are_gone(recordings: dict[bool, str]) -> None:
    whole, *found = lines("diff", "-j", recordings[True], recordings[False])
    assert whole["time"] == "user"
    (timer,) = (line for line in found if line["address"] == qemu.PM_TIMER)
    assert (timer["status"], timer["after"]["count"]) == ("vanished", 0)
    assert timer["saved_ns_per_s"] > 0
    others = {line["address"] for line in found if line["status"] == "changed"}
    assert others >= {qemu.VIRTIO_NOTIFY, qemu.APIC_VERSION, qemu.APIC_EOI, qemu.HPET_COUNTER}


def test_the_finding_is_gone_with_them(recordings: dict[bool, str]) -> None:
    before, after = (
        {line.get("rule") for line in lines("diagnose", "-j", "--input", recordings[timer])}
        for timer in (True, False)
    )
    assert "pm-timer" in before
    assert "pm-timer" not in after
    assert {"local-apic", "hpet"} <= before & after
