"""Which processes hold a KVM VM open, as far as this one may look."""

import os
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests import guests
from tests.unit.fake_processes import put
from tests.unit.guests.seen_guests import PID


def test_a_process_with_a_guest_holds_it_open(tmp_path: Path) -> None:
    folder = tmp_path / "proc" / str(PID) / "fd"
    folder.mkdir(parents=True)
    (folder / "0").symlink_to("/dev/null")
    assert guests.warnings([PID], tmp_path) == [
        "process 4711 is not running a KVM guest; waiting for one"
    ]
    (folder / "9").symlink_to("anon_inode:kvm-vm")
    assert guests.warnings([PID], tmp_path) == []


def kill_says(monkeypatch: pytest.MonkeyPatch, error: type[OSError]) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise error

    monkeypatch.setattr(os, "kill", refuse)


def test_a_process_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_says(monkeypatch, ProcessLookupError)
    with pytest.raises(BpfexitError, match=r"no such process: 4711 .*`bpfexit guests`"):
        guests.warnings([PID], tmp_path)


def test_a_number_beyond_those_of_processes_is_of_none(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="no such process: 4294967295"):
        guests.warnings([2**32 - 1], tmp_path)


def test_a_process_that_proc_hides_may_run_a_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_says(monkeypatch, PermissionError)
    assert guests.has_guest(PID, tmp_path) is None
    (warning,) = guests.warnings([PID], tmp_path)
    assert warning.startswith("whether process 4711 runs a KVM guest is unknown without CAP_SYS_PT")


@pytest.mark.parametrize("function", ["listdir", "readlink"])
def test_a_process_that_may_not_be_looked_into_may_run_a_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    put(tmp_path, PID, "qemu-system-x86_64", "-name", "web")
    put(tmp_path, 4712, "bash")
    for pid in (PID, 4712):
        open_file(tmp_path, pid, "anon_inode:kvm-vm")
    real = getattr(os, function)

    def refuse(path: Path) -> object:
        if "fd" in Path(path).parts:
            raise PermissionError
        return real(path)

    monkeypatch.setattr(os, function, refuse)
    assert guests.has_guest(PID, tmp_path) is None
    assert "is unknown without CAP_SYS_PTRACE" in guests.warnings([PID], tmp_path)[0]
    assert guests.running(tmp_path) == []
    assert guests.candidates(tmp_path) == [PID]


def test_ids_of_another_namespace_are_not_looked_up(tmp_path: Path) -> None:
    link = tmp_path / "proc" / "self" / "ns" / "pid"
    link.parent.mkdir(parents=True)
    link.symlink_to("pid:[4026532421]")
    assert guests.warnings([PID], tmp_path) == []


def open_file(root: Path, pid: int, target: str) -> None:
    folder = root / "proc" / str(pid) / "fd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(len(list(folder.iterdir())))).symlink_to(target)


def test_those_are_running_that_hold_a_vm_open(tmp_path: Path) -> None:
    for pid in (4711, 200, 9):
        open_file(tmp_path, pid, "/dev/kvm")
    for pid in (4711, 9):
        open_file(tmp_path, pid, "anon_inode:kvm-vm")
    (tmp_path / "proc" / "self" / "fd").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "fd" / "0").symlink_to("anon_inode:kvm-vm")
    (tmp_path / "proc" / "1234").mkdir()  # ended since it was listed: no descriptors
    assert guests.running(tmp_path) == guests.candidates(tmp_path) == [9, 4711]


def test_nobody_is_running(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert guests.running(tmp_path) == []
