"""Names of addresses from a real QEMU: its own memory map over QMP, and the built-in one."""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests.maps import qmp
from bpfexit.guests.maps.qmp_socket import Socket
from bpfexit.host.preflight import Ready
from bpfexit.model.platform import PLATFORM, region_at
from tests.counting import BPFEXIT
from tests.integration import qemu
from tests.integration.interrupting import interrupted_when
from tests.integration.recorded import ended, recording
from tests.requirements import lacking
from tests.waiting import eventually

NAMES = {
    qemu.PM_TIMER: "acpi-tmr",
    qemu.APIC_VERSION: "kvm-apic-msi version",
    qemu.APIC_EOI: "kvm-apic-msi EOI",
    qemu.HPET_COUNTER: "hpet counter",
}
LEGACY_NOTIFY = 0x10
"""Where the register of a legacy virtio device that takes notifies lies (Virtio 1.2, 4.1.4.10)."""
FIRST_OF_PCI = 0xC000
"""From here on, ports are where the firmware puts PCI devices."""
TOO_SLOW = f"no answer within {qmp.TIMEOUT_S:.0f} s"
"""What is said of a QEMU on a machine that has no CPU for it; it is asked again."""
WIDE = ("env", "COLUMNS=120")


class Running(NamedTuple):
    pid: int
    path: Path  # of its QMP socket


@pytest.fixture(scope="module", params=["pc", "q35"])
def guest(
    request: pytest.FixtureRequest,
    needs_bpf: Ready,
    needs_kvm: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """Run a guest whose firmware has placed its devices; on either machine."""
    if not shutil.which("qemu-system-x86_64"):
        lacking("testbed", "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    folder = tmp_path_factory.mktemp("qemu")
    path = folder / "qmp"
    options = ("-machine", request.param, "-qmp", f"unix:{path},server=on,wait=off")
    with qemu.running(folder, "guest=web=01", *options) as process:
        qemu.until_booted(folder, process)
        yield Running(process.pid, path)


def top(
    guest: Running, enough: Callable[[str], object], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Count until the lines suffice; whatever it is that --qmp meets, that is no failure."""
    options = ("-p", str(guest.pid), *arguments, "0.5")
    return interrupted_when(enough, "top", *options, under=WIDE)


Names = dict[int, tuple[str | None, str | None]]
"""Name and layer of each address."""


def top_named(
    guest: Running, addresses: Iterable[int], by: str, *arguments: str
) -> tuple[Names, list[str]]:
    """Count until an interval has these addresses by a layer; return its names, and what is said.

    That is how the names are known once QEMU has answered, however long that takes.
    """

    def enough(text: str) -> bool:
        return any(has_all(named(line), addresses, by) for line in text.splitlines()[-1:])

    done = top(guest, enough, "-j", *arguments)
    each = map(named, done.stdout.splitlines())
    found = next(names for names in each if has_all(names, addresses, by))
    return found, [line for line in done.stderr.splitlines() if "bpfexit: " in line]


def has_all(names: Names, addresses: Iterable[int], by: str) -> bool:
    return all(names.get(address, ("", ""))[1] == by for address in addresses)


def named(text: str) -> Names:
    """Return name and layer of each address in a line of `top -j`."""
    rows = json.loads(text)["rows"]
    return {row["address"]: (row["name"], row["named_by"]) for row in rows if row["kind"]}


@pytest.mark.parametrize("whose", ["", "web=01=", "PID="])
def test_qemu_names_what_its_guest_is_after(guest: Running, whose: str) -> None:
    socket_of = f"{whose.replace('PID', str(guest.pid))}{guest.path}"
    found, said = top_named(guest, NAMES, "qmp", "--qmp", socket_of)
    assert {address: found[address] for address in NAMES} == {
        address: (name, "qmp") for address, name in NAMES.items()
    }
    assert len([line for line in said if TOO_SLOW not in line]) == 1  # that it counts


def test_the_tables_show_the_names_and_whose_they_are(guest: Running) -> None:
    version = f"0x{qemu.APIC_VERSION:08x} read"
    needed = ("0x0608 read", version, "named by qmp")

    def enough(text: str) -> bool:
        return all(each in text for each in needed)

    shown = top(guest, enough, "-b", "--qmp", str(guest.path)).stdout
    assert "0x0608 read acpi-tmr " in shown
    assert f"{version} kvm-apic-msi version " in shown
    assert "named by qmp" in shown


def test_without_being_asked_a_guest_has_what_is_usual(guest: Running) -> None:
    found, _ = top_named(guest, [qemu.PM_TIMER], "platform")
    assert found[qemu.PM_TIMER] == ("acpi-tmr", "platform")
    shown = top(guest, lambda text: "0x0608 read" in text, "-b").stdout
    assert "0x0608 read acpi-tmr? " in shown
    assert '"?": guessed' in shown


def test_legacy_virtio_devices_are_only_known_to_qemu(guest: Running) -> None:
    (answer,) = qmp.ask([Socket("", str(guest.path))])
    assert isinstance(answer, qmp.Answer)
    assert (answer.pid, answer.name) == (guest.pid, "web=01")
    devices = [each for each in answer.regions if each.name == "virtio-pci"]
    assert {device.kind for device in devices} == {PIO}
    assert min(device.first for device in devices) >= FIRST_OF_PCI
    assert qemu.VIRTIO_NOTIFY in {device.first + LEGACY_NOTIFY for device in devices}


def test_the_built_in_map_is_that_of_the_machine(guest: Running) -> None:
    (answer,) = qmp.ask([Socket("", str(guest.path))])
    assert isinstance(answer, qmp.Answer)
    usual = [(each, region_at(PLATFORM, each.kind, each.first)) for each in answer.regions]
    compared = {own: ours.name for own, ours in usual if ours}
    for own, ours in compared.items():
        assert _device(own) in (ours, f"{ours}-msi")
    needed = {"acpi-evt", "acpi-cnt", "acpi-tmr", "acpi-gpe0", "pit", "rtc", "hpet", "ioapic"}
    assert needed < set(compared.values())
    fixed = [own for own, ours in usual if not ours and own.kind == PIO]
    assert all(own.first >= FIRST_OF_PCI for own in fixed)


def _device(region: Region) -> str:
    """Return a region's name as another machine has it, and when KVM does not serve it."""
    name = region.name.split("+")[0].removeprefix("kvm-")
    return "reset-control" if name.endswith("-reset-control") else name


def test_a_recording_has_the_names(guest: Running, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    with recording(path, "-i", "0.2", "-p", str(guest.pid), "--qmp", str(guest.path)) as tracer:
        eventually(lambda: "named by qmp" in report(path).stdout)
        ended(tracer)
    done = report(path)
    assert done.returncode == 0, done.stderr
    assert "0x0608 read acpi-tmr " in done.stdout
    assert "named by qmp" in done.stdout


def report(path: Path) -> subprocess.CompletedProcess[str]:
    command = [*WIDE, *BPFEXIT, "report", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_socket_that_another_client_holds_costs_one_line(guest: Running) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(guest.path))
        assert other.recv(1) == b"{"
        found, said = top_named(guest, [qemu.PM_TIMER], "platform", "--qmp", str(guest.path))
    (complaint,) = (line for line in said if "--qmp" in line)
    assert "one client at a time" in complaint
    assert found[qemu.PM_TIMER] == ("acpi-tmr", "platform")


def test_a_socket_of_nobody_costs_one_line(guest: Running, tmp_path: Path) -> None:
    sockets = ("--qmp", str(tmp_path / "none"), "--qmp", str(guest.path))
    found, said = top_named(guest, [qemu.PM_TIMER], "qmp", *sockets)
    (complaint,) = (line for line in said if "--qmp" in line and TOO_SLOW not in line)
    assert complaint.endswith("no such socket")
    assert found[qemu.PM_TIMER] == ("acpi-tmr", "qmp")
