"""The cgroups that limit the CPU time of guests, and for how long they were throttled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bpfexit.host.cgroups import Group, cpu_limit, throttled_ns
from bpfexit.model.usage import Quota


@dataclass
class _Limit:
    cpus: float
    before_ns: int | None  # throttled since the cgroup was made, at the last reading
    throttled_ns: int | None = None  # between the last two readings


class Quotas:
    """The cgroups of some threads. Guests share those further up, which are read once for all.

    Whether a cgroup has a limit is read now and then: `cpu.stat` takes the kernel long on a host
    with many CPUs, and only a cgroup with a limit is throttled.
    """

    def __init__(self) -> None:
        self._limits: dict[Path, _Limit | None] = {}  # None: the cgroup has no limit
        self._looked: set[Path] = set()

    def look(self, groups: Iterable[Group], *, again: bool) -> None:
        """Look for limits of these cgroups; `again` also of those that are known already."""
        for group in groups:
            is_known = group.folder in self._limits
            if group.folder in self._looked or (is_known and not again):
                continue
            self._looked.add(group.folder)
            cpus, had = cpu_limit(group), self._limits.get(group.folder)
            if not cpus:
                if cpus is not None:
                    self._limits[group.folder] = None
            elif had:
                had.cpus = cpus
            else:
                self._limits[group.folder] = _Limit(cpus, throttled_ns(group))

    def read(self, groups: Iterable[Group]) -> None:
        """Read for how long these cgroups were throttled; forget all others."""
        used = {group.folder: group for group in groups}
        self._limits = {folder: self._limits[folder] for folder in used if folder in self._limits}
        self._looked.clear()
        for folder, limit in self._limits.items():
            if limit is not None:
                now, before = throttled_ns(used[folder]), limit.before_ns
                known = now is not None and before is not None
                limit.throttled_ns = max(0, (now or 0) - (before or 0)) if known else None
                limit.before_ns = now

    def of(self, chains: Iterable[tuple[Group, ...] | None]) -> tuple[Quota, ...] | None:
        """Return the limits on threads whose cgroups these are; None if they are not known."""
        threads: Counter[Group] = Counter()
        for chain in chains:
            if chain is None or (chain and not any(g.folder in self._limits for g in chain)):
                return None
            threads.update(chain)
        limits = [(group, self._limits.get(group.folder)) for group in threads]
        return tuple(
            Quota(group.path, limit.cpus, threads[group], limit.throttled_ns)
            for group, limit in limits
            if limit is not None
        )
