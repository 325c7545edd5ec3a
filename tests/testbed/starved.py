"""Scenarios of the session inside: a guest without enough CPU, or memory, and its diagnosis.

Of the CPU it is deprived by a busy process or by a quota of its cgroup, of version 2 or 1; its
memory is in swap, on a disk of the session.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests import starving
from tests.counting import BPFEXIT
from tests.testbed import times

CPU = 1
DURATION_S = 4
MEMORY_MIB, LIMIT_MIB = 48, 40
"""Of the guest, and of its process, which has some 25 MiB beside the guest's."""

DISK = Path("/dev/sda")
_FOLDERS = {1: Path("/run/cgroup1"), 2: Path("/run/cgroup2")}
_MEMORY = "bpfexit-memory"


def hog() -> dict[str, Any]:
    """Diagnose a guest whose CPU another process takes."""
    with _pinned() as about, starving.spinning(CPU):
        return _diagnosed(about["pid"])


def quota_v2() -> dict[str, Any]:
    """Diagnose a guest whose vCPU has a quota of cgroup version 2."""
    with _pinned() as about, _hierarchy(2, "cpu") as mount:
        return _limited(about, mount, 2)


def quota_v1() -> dict[str, Any]:
    """Diagnose a guest whose vCPU has a quota of cgroup version 1."""
    with _pinned() as about, _hierarchy(1, "cpu") as mount:
        return _limited(about, mount, 1)


def swapped() -> dict[str, Any]:
    """Diagnose a guest whose memory does not fit in what its cgroup may have."""
    for module in ("ata_piix", "sd_mod"):
        subprocess.run(["modprobe", module], check=True)
    _wait_for(DISK)
    with ExitStack() as stack:
        _swap_on(stack)
        mount = stack.enter_context(_hierarchy(2, "memory"))
        group = mount / _MEMORY
        group.mkdir()
        (group / "memory.max").write_text(str(LIMIT_MIB << 20))
        process = stack.enter_context(_large_guest(group))
        assert process.stdout
        about = json.loads(process.stdout.readline())
        times.start(process)
        _until_swapping()
        outcome = _diagnosed(about["pid"])
        process.kill()
        return outcome | {"events": (group / "memory.events").read_text()}


@contextmanager
def _pinned() -> Iterator[dict[str, Any]]:
    with times.guest("--mix", times.ROUND, "--vcpus", "1") as (about, process):
        starving.pin(about["pid"], CPU)
        times.start(process)
        yield about


def _limited(about: dict[str, Any], mount: Path, version: int) -> dict[str, Any]:
    with starving.quota(about["pid"], about["vcpus"][0]["tid"], mount, version):
        return _diagnosed(about["pid"])


@contextmanager
def _hierarchy(version: int, controller: str) -> Iterator[Path]:
    """Mount cgroups of a version, with a controller, which only one hierarchy can have."""
    folder = _FOLDERS[version]
    folder.mkdir(exist_ok=True)
    kind = ["cgroup2"] if version == 2 else ["cgroup", "-o", controller]
    subprocess.run(["mount", "-t", *kind, "none", str(folder)], check=True)
    children = folder / "cgroup.subtree_control"
    try:
        if version == 2:
            children.write_text(f"+{controller}")
        yield folder
    finally:
        if version == 2:
            children.write_text(f"-{controller}")
        subprocess.run(["umount", str(folder)], check=False)


def _wait_for(path: Path) -> None:
    """Wait for a disk that a driver is looking for."""
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"there is no {path}")


def _until_swapping() -> None:
    """Wait until a page has come from the disk."""
    while "\npswpin 0\n" in Path("/proc/vmstat").read_text():
        time.sleep(0.1)


def _swap_on(stack: ExitStack) -> None:
    """Swap to the session's disk, a page at a time."""
    Path("/proc/sys/vm/page-cluster").write_text("0")
    subprocess.run(["mkswap", str(DISK)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["swapon", str(DISK)], check=True)
    stack.callback(subprocess.run, ["swapoff", str(DISK)], check=True)


@contextmanager
def _large_guest(group: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the guest in a cgroup, which counts the memory that it is yet to touch."""
    enter = f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"'
    guest = [sys.executable, "-m", "tests.testbed.large_guest", str(MEMORY_MIB)]
    with subprocess.Popen(
        ["sh", "-c", enter, *guest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _diagnosed(pid: int) -> dict[str, Any]:
    """Return what `bpfexit diagnose` says of the guest, and its findings in their order."""
    command = [*BPFEXIT, "diagnose", "-j", "-d", str(DURATION_S), "-p", str(pid)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    (about,) = (each for each in documents if each["about"] == "guest")
    findings = [each for each in documents if each["about"] == "finding"]
    return {"all": documents[0], "guest": about, "findings": findings}
