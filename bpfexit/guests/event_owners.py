"""The owners of counted events: guests by name, other processes by that of their program."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.guests.guests import guests_of, has_guest
from bpfexit.host.processes import Process, process
from bpfexit.model.event_counts import Owner


@dataclass(frozen=True)
class _Known:
    process: Process | None
    owner: Owner


class EventOwners:
    """Names processes; a process is read again if another one has its number."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._known: dict[int, _Known] = {}

    def owner(self, pid: int) -> Owner:
        """Return the owner of a process's events; one that has ended keeps its name."""
        now = self._process(pid)
        known = self._known.get(pid)
        if known and (now is None or (known.process and known.process.is_still(now))):
            return known.owner
        self._known[pid] = _Known(now, self._owner(pid))
        return self._known[pid].owner

    def guest_name(self, pid: int) -> str:
        """Return the name of the guest of a process that runs one."""
        return self.owner(pid).name

    def has_ended(self, pid: int) -> bool:
        """Return whether the process has ended."""
        now = self._process(pid)
        return now is None or now.ended

    def keep_only(self, pids: Iterable[int]) -> None:
        """Forget all other processes: their events have been counted for the last time."""
        self._known = {pid: self._known[pid] for pid in {*pids} & self._known.keys()}

    def _process(self, pid: int) -> Process | None:
        try:
            return process(pid, self._root)
        except OSError:
            return None

    def _owner(self, pid: int) -> Owner:
        try:
            is_guest = has_guest(pid, self._root) is not False
        except BpfexitError:
            return Owner(f"pid:{pid}", pid)  # it ended before it was read
        if is_guest:
            (guest,) = guests_of([pid], self._root)
            return Owner(guest.name, pid)
        return Owner(self._program(pid), pid, is_guest=False)

    def _program(self, pid: int) -> str:
        """Return the name of a thread's program; kernel threads have one, too."""
        try:
            return (self._root / "proc" / str(pid) / "comm").read_text(errors="replace").strip()
        except OSError:
            return f"pid:{pid}"
