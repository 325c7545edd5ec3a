"""The values of a filter that a recording lacks, and those that it has instead."""

from collections.abc import Iterable

import numpy as np

from bpfexit.model.filter import Filter, kept
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable

_MOST_NAMED = 100
"""Maximum values in a note; Intel VMX has some 70 reasons."""


class _Choice:
    """The values of one option, and those that were seen."""

    def __init__(self, what: str, wanted: Iterable[object]) -> None:
        self._what = what
        self._unseen = {str(value).lower(): str(value) for value in wanted}
        self._seen: dict[str, None] = {}

    def see(self, values: Iterable[object]) -> None:
        """Note which of the wanted values occur, and the names of the others."""
        for value in map(str, values):
            self._unseen.pop(value.lower(), None)
            if len(self._seen) <= _MOST_NAMED:
                self._seen[value] = None

    def missing(self) -> str | None:
        """Return which of the wanted values were not seen, and which were."""
        if not self._unseen:
            return None
        seen = [*self._seen][:_MOST_NAMED] + ["…"] * (len(self._seen) > _MOST_NAMED)
        has = printable(", ".join(seen)) or "none at all"
        return f"no exit of {self._what}{printable(', '.join(self._unseen.values()))}: it has {has}"


class Wanted:
    """A filter, and the values of it that occurred in the snapshots so far."""

    def __init__(self, wanted: Filter) -> None:
        """Begin with nothing seen."""
        self._filter = wanted
        self._reasons = _Choice("", wanted.reasons)
        self._pids = _Choice("process ", wanted.pids)
        self._vcpus = _Choice("vCPU ", wanted.vcpus)
        self._exits = self._kept = 0

    def kept(self, snapshot: Snapshot) -> Snapshot:
        """Return the wanted part of a snapshot, and remember which values occurred."""
        chosen = kept(snapshot, self._filter)
        self._exits += snapshot.exits
        self._kept += chosen.exits
        self._reasons.see(snapshot.reasons)
        if self._filter.pids:
            self._pids.see(np.unique(snapshot.rows["pid"]).tolist())
        if self._filter.vcpus:
            vcpus = np.unique(snapshot.rows["vcpu"])
            self._vcpus.see(vcpus[vcpus != NO_VCPU].tolist())
        return chosen

    def missing(self) -> list[str]:
        """Return the wanted values that are missing, a clause each; empty if none are."""
        choices = (self._pids, self._vcpus, self._reasons)
        said = [clause for each in choices if (clause := each.missing())]
        if not said and self._exits and not self._kept:
            said = ["no exit that matches all of -p, -v and --reason"]
        return said
