"""Threads that end are noticed, and only those that were once in sight."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bpfexit.sources.threads import Threads

VCPU = np.dtype([(name, "u8") for name in ("owner", "exit_ns", "guest_ns", "what", "address")])


def vcpus(*states: tuple[int, int, int]) -> NDArray[Any]:
    """Return vCPUs of process 7: thread, exit_ns and guest_ns of each."""
    return np.array([(7 << 32 | tid, at, guest, 1, 0) for tid, at, guest in states], VCPU)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for tid in (8, 9):
        (tmp_path / f"proc/7/task/{tid}").mkdir(parents=True)
    return tmp_path


def test_a_thread_that_is_gone_has_ended_in_its_exit(root: Path) -> None:
    threads, now = Threads(root), vcpus((8, 100, 5), (9, 0, 5))
    assert threads.update(vcpus(), now) == 0
    assert threads.update(now, now) == 0
    (root / "proc/7/task/8").rmdir()
    assert threads.update(now, now) == 1
    assert threads.update(now, now) == 0
    assert threads.alive(now).tolist() == [False, True]


def test_a_thread_that_ends_outside_an_exit_leaves_none_unended(root: Path) -> None:
    threads, now = Threads(root), vcpus((8, 0, 5))
    threads.update(vcpus(), now)
    (root / "proc/7/task/8").rmdir()
    assert threads.update(now, now) == 0
    assert threads.ended == {0}


def test_a_thread_that_still_moves_is_not_looked_for(root: Path) -> None:
    threads = Threads(root)
    threads.update(vcpus(), vcpus((8, 100, 5)))
    (root / "proc/7/task/8").rmdir()
    assert threads.update(vcpus((8, 100, 5)), vcpus((8, 200, 6))) == 0
    assert threads.ended == set()


def test_a_thread_out_of_sight_is_never_taken_for_ended(root: Path) -> None:
    threads, now = Threads(root), vcpus((4711, 100, 5))
    threads.update(vcpus(), now)
    assert threads.update(now, now) == 0
    assert threads.alive(now).tolist() == [True]
