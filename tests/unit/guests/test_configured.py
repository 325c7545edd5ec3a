"""Memory and UUID as a command line configures them, in every form that a VMM takes."""

from pathlib import Path

import pytest

from bpfexit.guests.configured import configured_memory, configured_uuid
from bpfexit.guests.guests import guests_of
from bpfexit.host.processes import command_line
from tests.unit.fake_processes import put

QEMU = "/usr/bin/qemu-system-x86_64"
CLOUD_HYPERVISOR = "/usr/bin/cloud-hypervisor"
UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"
PID = 4711


def read(root: Path, *arguments: str) -> tuple[int | None, str | None]:
    put(root, PID, *arguments)
    (guest,) = guests_of([PID], root)
    found = command_line(PID, root)
    return configured_memory(guest, found), configured_uuid(guest, found)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("64", 64 << 20),
        ("4G", 4 << 30),
        ("4g", 4 << 30),
        ("1.5G", 3 << 29),
        ("8388608k", 8 << 30),
        ("size=8388608k", 8 << 30),
        ("size=4G,slots=16,maxmem=64G", 4 << 30),
        ("4096,slots=16,maxmem=64G", 4 << 30),
        ("slots=16,maxmem=64G,size=2048", 2 << 30),
        ("slots=16,maxmem=64G", None),
        ("0", None),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("1e9", None),
        ("4096MB", None),
        ("٤", None),
        ("\x1b[2J", None),
        ("999999999999999999E", None),
        ("9" * 5000, None),
    ],
)
def test_qemus_memory_in_its_forms(tmp_path: Path, value: str, size: int | None) -> None:
    assert read(tmp_path, QEMU, "-m", value) == (size, None)


def test_the_last_size_counts_and_one_without_a_size_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, QEMU, "-m", "1G", "-m", "2G")[0] == 2 << 30
    assert read(tmp_path, QEMU, "-m", "1G", "--m", "slots=2,maxmem=4G")[0] == 1 << 30


def test_without_the_option_memory_is_unknown(tmp_path: Path) -> None:
    assert read(tmp_path, QEMU, "-name", "web") == (None, None)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["--memory", "size=512M"], 512 << 20),
        (["--memory", "mergeable=on,size=4G,hotplug_size=8G"], 4 << 30),
        (["--memory=size=1073741824"], 1 << 30),
        (["--memory", "hotplug_size=8G"], None),
        (["--memory", "size=0", "--memory-zone", "id=a,size=1G"], None),
        (["--memory"], None),
        (["--api-socket", "/run/a.sock"], None),
    ],
)
def test_cloud_hypervisors_memory(tmp_path: Path, arguments: list[str], size: int | None) -> None:
    assert read(tmp_path, CLOUD_HYPERVISOR, *arguments)[0] == size


@pytest.mark.parametrize(
    "arguments",
    [
        (QEMU, "-uuid", UUID),
        (QEMU, "--uuid", UUID.upper()),
        (QEMU, "-uuid", "11111111-2222-3333-4444-555555555555", "-uuid", UUID),
        (CLOUD_HYPERVISOR, "--platform", f"num_pci_segments=1,uuid={UUID},serial_number=a"),
        (CLOUD_HYPERVISOR, f"--platform=uuid={UUID}"),
    ],
)
def test_a_uuid_is_that_of_the_machine(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert read(tmp_path, *arguments)[1] == UUID


@pytest.mark.parametrize(
    "value", ["", "x", UUID[:-1], UUID + "0", UUID + "\n", f"{{{UUID}}}", UUID.replace("-", "")]
)
def test_what_does_not_look_like_a_uuid_is_none(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, QEMU, "-uuid", value)[1] is None
    assert read(tmp_path, CLOUD_HYPERVISOR, "--platform", f"uuid={value}")[1] is None


def test_options_of_another_program_mean_something_else(tmp_path: Path) -> None:
    arguments = ("-m", "4G", "-uuid", UUID, "--memory", "size=4G", "--platform", f"uuid={UUID}")
    assert read(tmp_path, "/usr/bin/firecracker", *arguments) == (None, None)
