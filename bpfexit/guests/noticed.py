"""Guests read at once, when a vCPU of theirs is seen first: they may have ended soon after."""

from pathlib import Path

from bpfexit.guests.reading import read_guest
from bpfexit.host.processes import Process, process
from bpfexit.model.guest import Guest, Identity


class Noticed:
    """Processes with their guests, as they were when a vCPU was seen first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._of: dict[Identity, tuple[Process, Guest]] = {}

    def notice(self, identity: Identity) -> Guest | None:
        """Read a process's guest, unless that has been done; None if it is gone."""
        if known := self._of.get(identity):
            return known[1]
        try:
            now = process_now(identity, self._root)
            if now is None or now.ended:
                return None
            guest = read_guest(identity.pid, self._root)
            if process_now(identity, self._root) != now:
                return None  # what was read may belong to a later process
        except OSError:
            return None
        self._of[identity] = (now, guest)
        return guest

    def get(self, identity: Identity) -> tuple[Process, Guest] | None:
        """Return a process and its guest; None if it was not noticed."""
        return self._of.get(identity)

    def clear(self) -> None:
        """Forget all of them."""
        self._of.clear()


def process_now(identity: Identity, root: Path) -> Process | None:
    """Return a process as it is now; None if it is not visible or another one has its PID.

    Raises `OSError` if it may not be read.
    """
    started = process(identity.pid, root)
    if started and identity.started and not started.began_at(identity.started):
        return None
    return started
