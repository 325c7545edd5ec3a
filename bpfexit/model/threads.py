"""The part of a snapshot that some vCPU threads have, by process, thread, number or name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.snapshot import Snapshot

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Threads:
    """Which vCPU threads; what is empty or None chooses all. `names` takes a guest's name."""

    pids: Collection[int] = ()
    tids: Collection[int] = ()
    vcpus: Collection[int] = ()
    names: Callable[[str], bool] | None = None

    def part(self, snapshot: Snapshot, exits: Mask | None = None) -> Snapshot:
        """Return the snapshot with only these threads' rows, vCPUs and guests.

        `exits`, shape (n,), tells which rows are wanted at all.
        """
        keep = self._chosen(snapshot.rows, snapshot.vms)
        if exits is not None:
            keep &= exits
        vcpus = snapshot.vcpus[self._chosen(snapshot.vcpus, snapshot.vms)]
        guests = tuple(each for each in snapshot.guests if self._has(each.name, each.pid))
        if self.vcpus or self.tids:
            owners = set(vcpus["pid"].tolist())
            guests = tuple(each for each in guests if each.pid in owners)
        return replace(
            snapshot,
            rows=snapshot.rows.chosen(keep),
            vcpus=vcpus,
            guests=guests,
            usage=snapshot.usage.where(lambda each: self._has(each.vm, each.pid)),
        )

    def _has(self, name: str, pid: int) -> bool:
        """Whether a guest may have some of the threads."""
        return (not self.pids or pid in self.pids) and (self.names is None or self.names(name))

    def _chosen(self, entries: Any, vms: tuple[str, ...]) -> Mask:
        """Return which rows or vCPUs are of these threads, shape (n,)."""
        chosen = np.ones(len(entries), bool)
        for name, numbers in (("pid", self.pids), ("tid", self.tids), ("vcpu", self.vcpus)):
            if numbers:
                chosen &= np.isin(entries[name], list(numbers))
        if self.names is not None:
            named = np.array([*map(self.names, vms), False], bool)
            chosen &= named[entries["vm"]]
        return chosen
