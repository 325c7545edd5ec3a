"""Files of guests' threads stay open from one reading to the next, up to a limit."""

import os
import shutil
from pathlib import Path

import pytest

from bpfexit.guests.usage import UsageReader
from bpfexit.model.guest import Identity
from bpfexit.model.usage import GuestUsage
from tests.unit.guests.fake_usage import put_process, put_thread

PID = 4711


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put_process(tmp_path, PID)
    return tmp_path


def read(reader: UsageReader) -> GuestUsage:
    (usage,) = reader.read({Identity(PID): ("web", ())}).guests
    return usage


def opened(root: Path) -> int:
    """Return how many files of these processes are open."""
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link).startswith(f"{root}/") for link in links if os.path.lexists(link))


def test_no_file_stays_open(root: Path) -> None:
    for tid in range(10, 20):
        put_thread(root, PID, tid, "CPU 0/KVM", "1 1 1")
    reader = UsageReader(root)
    read(reader)
    every = opened(root)
    assert every >= 10
    shutil.rmtree(root / f"proc/{PID}/task/10")
    read(reader)
    assert opened(root) == every - 1
    reader.close()
    assert opened(root) == 0


def test_more_files_than_may_be_open_are_read_too(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (8, 8))
    for tid in range(10, 20):
        put_thread(root, PID, tid, "CPU 0/KVM", "1 1 1")
    reader = UsageReader(root)
    read(reader)
    for tid in range(10, 20):
        put_thread(root, PID, tid, "CPU 0/KVM", "18 12 2")
    (vcpus,) = read(reader).threads
    assert (vcpus.threads, vcpus.cpu_ns, vcpus.wait_ns) == (10, 170, 110)
    reader.close()
