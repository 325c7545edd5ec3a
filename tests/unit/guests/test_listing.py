"""The guests that are running, from a `/proc` of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests.listing import Listing, list_guests
from bpfexit.model.guest import Guest
from bpfexit.model.running_guest import RunningGuest
from tests.unit.fake_processes import open_files, put

VM, VCPU = "anon_inode:kvm-vm", "anon_inode:kvm-vcpu:"
UUID = "9c1ad29c-6fb7-4ad3-a3ab-a25a3cbb7f4a"
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "uptime").write_text("1000.50 1990.00\n")
    (tmp_path / "proc" / "self").mkdir()
    return tmp_path


def start(root: Path, pid: int, *arguments: str, vcpus: int = 1, started_s: int = 1) -> None:
    put(root, pid, *arguments, started=started_s * TICKS)
    open_files(root, pid, "/dev/null", "/dev/kvm", VM, *(f"{VCPU}{each}" for each in range(vcpus)))


def test_everything_that_proc_has_of_a_guest(root: Path) -> None:
    options = ("-name", "web", "-m", "4G", "-uuid", UUID)
    start(root, 4711, "/usr/bin/qemu-system-x86_64", *options, vcpus=3, started_s=900)
    (root / "proc" / "4711" / "statm").write_text("5000 300 20 1 0 400 0\n")
    guest = Guest(4711, "web", "qemu", "qemu", (("m", "4G"),))
    assert list_guests(root) == Listing(
        (RunningGuest(guest, 3, 4 << 30, 300 * PAGE, 100.5, UUID),), not_examined=0
    )


def test_unknown_values_are_none(root: Path) -> None:
    start(root, 4711, "python3", vcpus=0)
    (root / "proc" / "uptime").unlink()
    assert list_guests(root).guests == (RunningGuest(Guest(4711, "pid:4711"), 0),)


@pytest.mark.parametrize("statm", ["", "5000", "a b c"])
def test_a_file_that_is_cut_gives_no_value(root: Path, statm: str) -> None:
    start(root, 4711, "qemu", "-name", "web")
    (root / "proc" / "4711" / "statm").write_text(statm)
    (running,) = list_guests(root).guests
    assert running.resident_bytes is None


def test_vcpus_are_counted_once_however_many_descriptors_they_have(root: Path) -> None:
    """Python's mmap duplicates the descriptor; QEMU holds a second one for statistics."""
    put(root, 4711, "python3")
    links = [VM, f"{VCPU}0", f"{VCPU}0", f"{VCPU}8", "anon_inode:kvm-vcpu-stats:1", f"{VCPU}x"]
    open_files(root, 4711, *links)
    (running,) = list_guests(root).guests
    assert running.vcpus == 2


def test_guests_are_in_order_of_name_then_process(root: Path) -> None:
    for pid, name in ((30, "b"), (20, "a"), (9, "b")):
        start(root, pid, "qemu", "-name", name)
    assert [each.guest.pid for each in list_guests(root).guests] == [20, 9, 30]


def test_a_process_without_a_virtual_machine_is_not_a_guest(root: Path) -> None:
    put(root, 4711, "/usr/bin/qemu-system-x86_64", "-name", "tcg")
    open_files(root, 4711, "/dev/kvm", f"{VCPU}0", "/tmp/anon_inode:kvm-vm")  # noqa: S108
    assert list_guests(root) == Listing()


def test_a_guest_that_ends_meanwhile_is_not_listed(root: Path) -> None:
    open_files(root, 9, VM)  # its stat is gone already
    (root / "proc" / "10").mkdir()  # and its descriptors
    start(root, 11, "qemu", "-name", "dying")
    put(root, 11, state="Z", threads=1, memory=0)
    assert list_guests(root) == Listing()


def test_processes_that_cannot_be_examined_are_counted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in (9, 10, 11, 12):
        start(root, pid, "qemu", "-name", f"n{pid}")
    errors = {"9": PermissionError(13, "no"), "10": OSError(5, "no"), "11": ProcessLookupError()}
    monkeypatch.setattr(os, "listdir", refusing(errors, os.listdir))
    found = list_guests(root)
    assert [each.guest.pid for each in found.guests] == [12]
    assert found.not_examined == 2


def test_a_process_whose_descriptors_may_only_be_listed_is_not_examined(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is where a security module protects a process from root, too."""

    def refuse(_: Path) -> str:
        raise PermissionError(13, "no")

    start(root, 9, "qemu", "-name", "web")
    monkeypatch.setattr(os, "readlink", refuse)
    assert list_guests(root) == Listing((), not_examined=1)


def refusing(
    errors: dict[str, OSError], listdir: Callable[[Path], list[str]]
) -> Callable[[Path], list[str]]:
    def refuse(folder: Path) -> list[str]:
        if folder.name == "fd" and folder.parent.name in errors:
            raise errors[folder.parent.name]
        return listdir(folder)

    return refuse


def test_without_proc_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match=r"cannot list the processes in .*; mount procfs there"):
        list_guests(tmp_path)
