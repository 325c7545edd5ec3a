"""A process in `/proc`: its identity, whether it has ended, how it was started."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bpfexit.errors import BpfexitError

COMMAND_LIMIT = 1 << 20
"""Maximum bytes of a command line; the kernel takes 6 MiB, QEMU's has some thousands."""

_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")

_STATE, _PARENT, _THREADS, _STARTED = 0, 1, 17, 19
_CODE, _STACK, _ARGUMENTS = 23, 25, 45  # their addresses change with an `exec`
_ENDED = (b"Z", b"X")
_STAT = 4096
"""Bytes of a line that has some 50 numbers."""


@dataclass(frozen=True)
class Process:
    """A process as it is now; a PID alone may soon be another process's."""

    parent: int
    ended: bool  # its parent has not waited for it yet
    started: int  # clock ticks since boot
    memory: tuple[int, ...]  # addresses that an `exec` changes; zeros if it has none any more

    def is_still(self, now: Process) -> bool:
        """Return whether this is the same process with the same program."""
        kept = self.memory == now.memory or not any(now.memory)
        return self.started == now.started and kept

    def began_at(self, started_ns: int) -> bool:
        """Return whether this process began then, ns since boot: `/proc` rounds down to a tick."""
        return self.started == started_ns // _TICK_NS


def process(pid: int, root: Path = Path("/")) -> Process | None:
    """Read `/proc/PID/stat`; None if no such process is visible.

    Raises `OSError` if the process exists and cannot be read.
    """
    try:
        with open(f"{root}/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(_STAT)
    except (FileNotFoundError, ProcessLookupError):  # ESRCH: it ended while it was read
        return None
    fields = stat[stat.rfind(b")") + 1 :].split()  # the name before may contain anything
    try:
        state, (parent, threads, started, *memory) = fields[_STATE], map(int, _chosen(fields))
    except (IndexError, ValueError):
        return None
    # The first thread may have ended before others.
    return Process(parent, state in _ENDED and threads <= 1, started, tuple(memory))


def _chosen(fields: list[bytes]) -> list[bytes]:
    return [fields[index] for index in (_PARENT, _THREADS, _STARTED, _CODE, _STACK, _ARGUMENTS)]


def process_list(root: Path = Path("/")) -> list[int]:
    """Return the visible processes, in order. Raises `BpfexitError` if they cannot be listed."""
    folder = root / "proc"
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise BpfexitError(
            f"cannot list the processes in {folder}: {error.strerror}; mount procfs there"
        ) from None
    return sorted(int(name) for name in names if name.isdecimal())


def descriptors(pid: int, root: Path = Path("/")) -> set[str | None]:
    """Return the targets of a process's descriptors; None for those that may not be read.

    Raises `OSError` if none may be read, or the process has ended.
    """
    folder = root / "proc" / str(pid) / "fd"
    return {_target(folder / name) for name in os.listdir(folder)}


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # closed since it was listed
        return ""
    except PermissionError:
        return None


def command_line(pid: int, root: Path = Path("/")) -> tuple[str, ...]:
    """Return a process's arguments, empty if it has gone. The process controls the text.

    Bytes that are not UTF-8 become U+FFFD.
    """
    return _texts(root / "proc" / str(pid) / "cmdline")


def environment(pid: int, root: Path = Path("/")) -> dict[str, str]:
    """Return the variables a process was started with; none if they may not be read."""
    pairs = (variable.partition("=") for variable in _texts(root / "proc" / str(pid) / "environ"))
    return {name: value for name, _, value in pairs}


def _texts(path: Path) -> tuple[str, ...]:
    """Return the texts in a file, each ended by a zero byte; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(COMMAND_LIMIT)
    except OSError:
        return ()
    return tuple(raw.decode(errors="replace").removesuffix("\0").split("\0")) if raw else ()


def program_name(arguments: tuple[str, ...]) -> str:
    """Return the name of a command line's program, without its folder."""
    return arguments[0].rpartition("/")[2] if arguments else ""
