"""KVM's counters in debugfs, on a tree of files as the kernel makes them."""

import os
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError
from bpfexit.guests.guests import VM
from bpfexit.guests.kvm_counters import KvmCounters, process_of
from bpfexit.model.event_counts import Source


def make_process(root: Path, pid: int, fd: int, threads: tuple[int, ...] = ()) -> None:
    for tid in (pid, *threads):
        folder = root / "proc" / str(tid)
        folder.mkdir(parents=True)
        (folder / "status").write_text(f"Name:\tqemu\nTgid:\t{pid}\nPid:\t{tid}\n")
    fds = root / "proc" / str(pid) / "fd"
    fds.mkdir()
    os.symlink(VM, fds / str(fd))


def make_vm(root: Path, vm: str, **counters: str) -> Path:
    folder = root / "debug" / "kvm" / vm
    (folder / "vcpu0").mkdir(parents=True)
    for name, text in counters.items():
        (folder / name).write_text(text)
    return folder


def counters(root: Path, wanted: str = "", pids: tuple[int, ...] = ()) -> KvmCounters:
    return KvmCounters(
        root / "debug", lambda name: wanted in name, lambda pid: f"guest {pid}", pids, root
    )


def test_numbers_are_counters_or_gauges_by_what_their_user_may_write(tmp_path: Path) -> None:
    make_process(tmp_path, 100, 11)
    folder = make_vm(
        tmp_path,
        "100-11",
        exits="997\n",
        pages_4k="5\n",
        halt_wait_hist="1\n",
        max_mmu_rmap_size="3\n",
        mmu_rmaps_stat="Rmap_Count:\t0\n",
    )
    (folder / "pages_4k").chmod(0o444)
    found = counters(tmp_path).read().values
    assert {(key.event, key.source): value for key, value in found.items()} == {
        ("exits", Source.COUNTER): 997,
        ("pages_4k", Source.GAUGE): 5,
        ("max_mmu_rmap_size", Source.GAUGE): 3,
    }
    owners = {key.owner for key in found}
    assert [(each.name, each.pid, each.vm) for each in owners] == [("guest 100", 100, "100-11")]


def test_a_vm_that_another_thread_created_is_its_process_s(tmp_path: Path) -> None:
    make_process(tmp_path, 100, 11, threads=(105,))
    assert process_of(105, 11, tmp_path) == 100


def test_a_vm_whose_creator_has_ended_is_that_of_the_only_holder(tmp_path: Path) -> None:
    make_process(tmp_path, 100, 11)
    assert process_of(99, 11, tmp_path) == 100
    make_process(tmp_path, 200, 11)
    assert process_of(99, 11, tmp_path) == 0


def test_a_vm_of_an_unknown_process_is_shown_by_kvm_s_name(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    make_vm(tmp_path, "7-9", exits="1\n")
    (key,) = counters(tmp_path).read().values
    assert (key.owner.name, key.owner.pid) == ("vm:7-9", 0)


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    for pid in (100, 200):
        make_process(tmp_path, pid, 11)
        make_vm(tmp_path, f"{pid}-11", exits="1\n", halt_exits="2\n", blocking="0\n")
    found = counters(tmp_path, "exits", (200,)).read().values
    assert {(key.owner.pid, key.event) for key in found} == {(200, "exits"), (200, "halt_exits")}


def test_without_debugfs_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="run bpfexit as root"):
        counters(tmp_path).read()
