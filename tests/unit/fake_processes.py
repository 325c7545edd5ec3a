"""Processes in a root of their own, as `/proc` tells of them."""

import os
from pathlib import Path


def put(
    root: Path,
    pid: int,
    *arguments: str | bytes,
    parent: int = 1,
    state: str = "S",
    threads: int = 3,
    started: int = 1000,
    memory: int = 0x400000,
    cgroup: str | None = None,
) -> None:
    """Write a process, or write over it; `memory` is where its program lies."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    raw = [os.fsencode(argument) for argument in arguments]
    (folder / "cmdline").write_bytes(b"".join(argument + b"\0" for argument in raw))
    fields = [0] * 50
    fields[1], fields[17], fields[19] = parent, threads, started
    fields[23], fields[25], fields[45] = memory, memory and memory + 1, memory and memory + 2
    (folder / "stat").write_text(f"{pid} (a) b) {state} {' '.join(map(str, fields[1:]))}\n")
    if cgroup is not None:
        (folder / "cgroup").write_text(cgroup)


def open_files(root: Path, pid: int, *targets: str) -> None:
    """Let a process hold files open, numbered on from those it has."""
    folder = root / "proc" / str(pid) / "fd"
    folder.mkdir(parents=True, exist_ok=True)
    for number, target in enumerate(targets, len(os.listdir(folder))):
        (folder / str(number)).symlink_to(target)
