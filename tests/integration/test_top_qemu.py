"""`bpfexit top` beside a real QEMU: the ports of the case it exists for."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpfexit.host.preflight import Ready
from tests.counting import Place
from tests.integration import qemu
from tests.integration.interrupting import interrupted_when
from tests.requirements import lacking

NAME = "guest=win\x1b[31m [bold]dows,,1,debug-threads=on"


@pytest.fixture(scope="module")
def counts(
    needs_bpf: Ready, needs_kvm: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Counter[Place], set[str]]]:
    """Return the QEMU's pid, exits by place once the boot sector runs, and the VM's names."""
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    with qemu.running(tmp_path_factory.mktemp("qemu"), NAME) as process:
        yield (process.pid, *_after_firmware(process.pid))


def _after_firmware(pid: int) -> tuple[Counter[Place], set[str]]:
    places: Counter[Place] = Counter()
    names = set()
    for interval in qemu.intervals(pid, notifies=30):
        names |= {row["vm"] for row in interval["rows"]}
        for row in interval["rows"]:
            places[Place(row["kind"], row["access"], row["address"])] += row["count"]
    return places, names


def test_the_pm_timer_and_the_virtio_notify_are_there_a_thousand_to_one(
    counts: tuple[int, Counter[Place], set[str]],
) -> None:
    _, places, _ = counts
    notifies = places[Place("pio", "write", qemu.VIRTIO_NOTIFY)]
    reads = places[Place("pio", "read", qemu.PM_TIMER)]
    # The firmware reads the timer, too, before the boot sector does.
    assert notifies >= 30
    assert notifies * qemu.READS_PER_NOTIFY <= reads < (notifies + 30) * qemu.READS_PER_NOTIFY


def test_the_guest_has_its_name_as_qemu_was_told(
    counts: tuple[int, Counter[Place], set[str]],
) -> None:
    assert counts[2] == {"win\x1b[31m [bold]dows,1"}


def test_a_hostile_name_is_harmless_on_the_terminal(
    counts: tuple[int, Counter[Place], set[str]],
) -> None:
    shown = interrupted_when(
        lambda text: "0x0608 read" in text,
        *("top", "-b", "-p", str(counts[0]), "--by", "vm,port", "0.5"),
        under=("env", "COLUMNS=120"),
    ).stdout
    assert "\\x1b[31m [bold]dows,1" in shown
    assert "\x1b" not in shown
    assert Path(f"/proc/{counts[0]}").exists()
