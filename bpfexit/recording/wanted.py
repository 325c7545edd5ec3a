"""The values of a filter that a recording lacks, and those that it has instead."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np

from bpfexit.model.filter import Filter, kept
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable
from bpfexit.model.view import OPT_IN_VIEWS

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
        every = [*map(str, values)]
        self.find(every)
        self.name(every)

    def find(self, values: Iterable[str]) -> None:
        """Note which of the wanted values occur."""
        for value in values:
            self._unseen.pop(value.lower(), None)

    def name(self, values: Iterable[str]) -> None:
        """Note values that occur, to name them if a wanted one does not."""
        for value in values:
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
        self._tids = _Choice("thread ", wanted.tids)
        self._guests = _Choice("guest ", wanted.guests)
        self._exits = self._kept = 0
        self._views = {kind for kind in wanted.kinds if kind.dimension in OPT_IN_VIEWS}

    def kept(self, snapshot: Snapshot) -> Snapshot:
        """Return the wanted part of a snapshot, and remember which values occurred."""
        chosen = kept(snapshot, self._filter)
        self._exits += snapshot.exits
        self._kept += chosen.exits
        self._reasons.see(snapshot.reasons)
        self._see_views(snapshot)
        if self._filter.guests:
            self._guests.find(
                pattern
                for pattern in self._filter.guests
                if any(fnmatchcase(name, pattern) for name in snapshot.vms)
            )
            self._guests.name(snapshot.vms)
        if self._filter.pids:
            self._pids.see(np.unique(snapshot.rows["pid"]).tolist())
        if self._filter.vcpus:
            vcpus = np.unique(snapshot.rows["vcpu"])
            self._vcpus.see(vcpus[vcpus != NO_VCPU].tolist())
        if self._filter.tids:
            self._tids.see(np.unique(snapshot.rows["tid"]).tolist())
        return chosen

    def _see_views(self, snapshot: Snapshot) -> None:
        """Note which views were recorded; older recordings do not list them."""
        self._views -= {
            kind
            for kind in self._views
            if kind.dimension in snapshot.origin.views or (snapshot.rows["kind"] == kind).any()
        }

    def missing(self) -> list[str]:
        """Return the wanted values that are missing, a clause each; empty if none are."""
        choices = (self._pids, self._vcpus, self._tids, self._guests, self._reasons)
        clauses = [clause for choice in choices if (clause := choice.missing())]
        if not clauses and self._exits and not self._kept:
            clauses = ["no exit that matches all of -p, -v, -t, --guest and --reason"]
        names = ",".join(kind.dimension for kind in self._filter.kinds if kind in self._views)
        if self._exits and names:
            clauses.append(f"no view by {names}: record it with `bpfexit record --by {names}`")
        return clauses
