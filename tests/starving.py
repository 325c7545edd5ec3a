"""What keeps a guest waiting: a busy CPU, a CPU quota of its cgroup, memory in swap."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpfexit.host.cgroups import Cgroups

QUOTA_US, PERIOD_US = 10_000, 100_000
GROUP = "bpfexit-test"
THREAD_GROUP = f"{GROUP}/vcpu0"
"""libvirt gives each vCPU's thread a cgroup of its own, which has the quota."""


def pin(pid: int, cpu: int) -> None:
    """Let all threads of a process run on one CPU only."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(tid), {cpu})


@contextmanager
def spinning(cpu: int) -> Iterator[None]:
    """Keep one CPU busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as hog:
        try:
            os.sched_setaffinity(hog.pid, {cpu})
            yield
        finally:
            hog.kill()


def mount_of(version: int, controller: str) -> Path | None:
    """Return where a hierarchy is mounted whose controller may be used; None if there is none."""
    cgroups = Cgroups()
    mount = cgroups._v2 if version == 2 else cgroups._v1.get(controller)
    if mount is None:
        return None
    enabled = mount.folder / "cgroup.subtree_control"
    if version == 2 and controller not in enabled.read_text().split():
        return None
    return mount.folder if os.access(mount.folder, os.W_OK) else None


@contextmanager
def quota(pid: int, tid: int, mount: Path, version: int) -> Iterator[Path]:
    """Limit a thread as libvirt does; yield the folder of its cgroup."""
    group, thread = mount / GROUP, mount / THREAD_GROUP
    for folder in (group, thread):
        folder.mkdir()
    try:
        if version == 2:
            (thread / "cgroup.type").write_text("threaded")
            (group / "cgroup.procs").write_text(str(pid))
            (group / "cgroup.subtree_control").write_text("+cpu")
            (thread / "cgroup.threads").write_text(str(tid))
            (thread / "cpu.max").write_text(f"{QUOTA_US} {PERIOD_US}")
        else:
            (thread / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (thread / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
            (thread / "tasks").write_text(str(tid))
        yield thread
    finally:
        _leave(mount, pid)
        for folder in (thread, group):
            _remove(folder)


def _leave(mount: Path, pid: int) -> None:
    """Put the process back where it may stay."""
    if Path(f"/proc/{pid}").exists():
        (mount / "cgroup.procs").write_text(str(pid))


def _remove(folder: Path) -> None:
    """Remove a cgroup, which its last task leaves some time after it has ended."""
    for _ in range(50):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
    folder.rmdir()
