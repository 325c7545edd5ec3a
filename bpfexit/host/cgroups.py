"""The cgroups of a task, of version 1 or 2, and their limits of CPU time.

Paths come from other processes and are not trusted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

_LIMIT = 1 << 16
_PERIOD_US = 100_000
_MOUNT = re.compile(r"\\([0-7]{3})", re.ASCII)
"""A character of a path that mountinfo writes as an octal number."""


@dataclass(frozen=True)
class Group:
    """A cgroup: its path within its hierarchy, its folder, and the hierarchy's version."""

    path: str
    folder: Path
    version: int


@dataclass(frozen=True)
class _Mount:
    """A mounted hierarchy; `top` is the cgroup that its folder is."""

    folder: Path
    top: PurePosixPath


class Cgroups:
    """The hierarchies that are mounted, by controller."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Read the mounts; without any, take those of systemd for granted."""
        self._root = root
        self._v2: _Mount | None = None
        self._v1: dict[str, _Mount] = {}
        for kind, options, mount in _mounts(root):
            if kind == "cgroup2":
                self._v2 = self._v2 or mount
                continue
            for option in options:
                self._v1.setdefault(option, mount)

    def of(self, folder: Path, controller: str) -> tuple[Group, ...] | None:
        """Return the cgroups of the task with this folder in `/proc`, without the root's.

        Each comes before those above it. None if they are not known: the task has ended, or its
        cgroup is not below those that are visible here.
        """
        lines = text(folder / "cgroup").splitlines()
        along = [groups for line in lines for groups in self._along(line, controller)]
        if not along or any(groups is None for groups in along):
            return None
        return tuple(chain.from_iterable(filter(None, along)))

    def _along(self, line: str, controller: str) -> Iterator[tuple[Group, ...] | None]:
        """Yield the cgroups of a line; nothing for a line about other controllers."""
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_v2 = number == "0" and not controllers
        if not is_v2 and controller not in controllers.split(","):
            return
        mount = self._mount(is_v2, controller)
        try:
            parts = PurePosixPath(path).relative_to(mount.top).parts
        except ValueError:
            yield None
            return
        inside = [parts[:end] for end in range(len(parts), 0, -1)]
        yield (
            None
            if ".." in parts
            else tuple(
                Group("/" + "/".join(names), mount.folder.joinpath(*names), 2 if is_v2 else 1)
                for names in inside
            )
        )

    def _mount(self, is_v2: bool, controller: str) -> _Mount:
        usual = self._root / "sys/fs/cgroup"
        if is_v2:
            return self._v2 or _Mount(usual, PurePosixPath("/"))
        return self._v1.get(controller) or _Mount(usual / controller, PurePosixPath("/"))


def _mounts(root: Path) -> Iterator[tuple[str, tuple[str, ...], _Mount]]:
    for line in text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, about = before.split(), after.split()
        if len(fields) > 4 and len(about) > 2 and about[0] in ("cgroup", "cgroup2"):
            top, point = (_unescaped(path) for path in fields[3:5])
            place = root / point.lstrip("/")
            yield about[0], tuple(about[2].split(",")), _Mount(place, PurePosixPath(top))


def _unescaped(path: str) -> str:
    return _MOUNT.sub(lambda match: chr(int(match[1], 8)), path)


def cpu_limit(group: Group) -> float | None:
    """Return how many CPUs a cgroup may use; 0 without a limit, None if unknown.

    Without the controller, a cgroup has no such files and no limit.
    """
    if group.version == 2:
        words = text(group.folder / "cpu.max").split()[:2]
    else:
        files = (group.folder / name for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        words = [number for file in files if (number := text(file).strip())]
    if words:
        return _cpus(*words)
    return 0.0 if (group.folder / "cgroup.procs").exists() else None


def _cpus(quota: str, period: str = "") -> float | None:
    """Return quota divided by period; 0 for `max` or -1, which mean no limit."""
    if quota in ("max", "-1"):
        return 0.0
    try:
        return int(quota) / int(period or _PERIOD_US)
    except (ValueError, ZeroDivisionError):
        return None


def throttled_ns(group: Group) -> int | None:
    """Return how long a cgroup has been throttled since it was made, ns; None if unknown.

    It is a sum over CPUs. Version 2 counts in µs.
    """
    numbers = keyed(text(group.folder / "cpu.stat"))
    if group.version == 1:
        return numbers.get("throttled_time")
    micros = numbers.get("throttled_usec")
    return None if micros is None else micros * 1000


def keyed(lines: str) -> dict[str, int]:
    """Return the numbers of lines such as `name 123`; lines of any other form are left out."""
    pairs = (line.split() for line in lines.splitlines())
    return {
        pair[0]: int(pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[1].isascii() and pair[1].isdecimal()
    }


def text(path: Path) -> str:
    """Return the beginning of a file, 64 KiB; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT).decode(errors="replace")
    except (OSError, ValueError):
        return ""
