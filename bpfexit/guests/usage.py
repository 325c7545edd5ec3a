"""What the running guests take of the host, read once per interval.

Only threads of guests are read. `/proc/PID/task/TID/schedstat` has their CPU time and how long
they waited for a CPU.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from itertools import chain
from pathlib import Path
from threading import Lock

from bpfexit.guests.nodes import has_nodes
from bpfexit.guests.process_usage import LOOK_S, Host, ProcessUsage
from bpfexit.guests.quotas import Quotas
from bpfexit.guests.threads import VhostThreads
from bpfexit.host.cgroups import Cgroups
from bpfexit.host.kept_files import KeptFiles
from bpfexit.host.processes import process
from bpfexit.model.guest import Identity
from bpfexit.model.usage import GuestUsage, HostUsage

_SWAPPED_IN = re.compile(rb"^pswpin ([0-9]{1,18})$", re.MULTILINE)


class UsageReader:
    """Reads guests again and again; each reading tells what happened since the last."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Begin the first interval of what is about the host."""
        self._vmstat, self._lock = str(root / "proc/vmstat"), Lock()
        self._host = Host(root, Cgroups(root), Quotas(), KeptFiles(), has_nodes(root))
        self._vhost, self._vhost_s = VhostThreads(root), 0.0
        self._processes: dict[Identity, ProcessUsage] = {}
        self._swapped_in = self._all_swapped_in()

    def begin(self, identity: Identity) -> None:
        """Begin the first interval of a guest, as soon as it is seen.

        The only method that another thread may call.
        """
        with self._lock:
            if identity not in self._processes:
                self._read(identity, ())

    def read(self, guests: Mapping[Identity, tuple[str, Collection[int]]]) -> HostUsage:
        """Return what these guests took since the last reading.

        They are given as names with the threads of vCPUs; all others are forgotten. A guest that
        has ended is left out.
        """
        with self._lock:
            if time.monotonic() - self._vhost_s >= LOOK_S or guests.keys() - self._processes.keys():
                self._vhost.look()
                self._vhost_s = time.monotonic()
            names = {
                identity: vm
                for identity, (vm, vcpus) in guests.items()
                if self._read(identity, vcpus)
            }
            self._processes = {identity: self._processes[identity] for identity in names}
            every = self._processes.values()
            self._host.quotas.read(chain.from_iterable(process.groups() for process in every))
            self._host.files.keep(
                {self._vmstat, *(file for process in every for file in process.files())}
            )
            usages = tuple(self._usage(identity, vm) for identity, vm in names.items())
            before, self._swapped_in = self._swapped_in, self._all_swapped_in()
        is_known = before is not None and self._swapped_in is not None
        pages = (self._swapped_in or 0) - (before or 0)
        return HostUsage(usages, pages if is_known else None)

    def close(self) -> None:
        """Close the files that are kept open."""
        with self._lock:
            self._host.files.close()

    def _read(self, identity: Identity, vcpus: Collection[int]) -> bool:
        """Read a process; return whether it lives."""
        usage = self._processes.get(identity)
        try:
            if usage is None:
                if not self._is_visible(identity):
                    return False
                usage = ProcessUsage(identity.pid, self._host)
            usage.read(vcpus, self._vhost.of(identity.pid))
        except OSError:
            return False
        self._processes[identity] = usage
        return True

    def _is_visible(self, identity: Identity) -> bool:
        """Return whether the process with this ID is this one: `/proc` may have other IDs."""
        if not identity.started:
            return True
        now = process(identity.pid, self._host.root)
        return now is not None and now.began_at(identity.started)

    def _usage(self, identity: Identity, vm: str) -> GuestUsage:
        return self._processes[identity].usage(vm)

    def _all_swapped_in(self) -> int | None:
        """Return the pages that the host has swapped in since it booted; None if unknown."""
        match = _SWAPPED_IN.search(self._host.files.text(self._vmstat))
        return int(match[1]) if match else None
