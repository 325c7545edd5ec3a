"""Guests that are chosen by name: the programs stop counting the others."""

from typing import Any

from numpy.typing import NDArray

from bpfexit.guests.guests import Guests
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Identity
from bpfexit.tracer.counters import Counters
from bpfexit.tracer.owners import identities


class GuestFilter:
    """Stops the count of each guest that is not wanted, as soon as its name is known.

    A name is not known before a process runs a guest. So every guest is counted from its first
    exit on, and those that are wanted have all of their exits, whenever they start.
    """

    def __init__(self, wanted: Filter, guests: Guests, counters: Counters) -> None:
        self._wanted, self._guests, self._counters = wanted, guests, counters

    def notice(self, identity: Identity) -> None:
        """Take a vCPU's process that has just been seen; another thread may call this."""
        guest = self._guests.notice(identity)
        if guest and guest.named_by and not self._wanted.names(guest.name):
            self._counters.ignore(identity)

    def update(self, vcpus: NDArray[Any]) -> None:
        """Take the vCPUs of a reading, struct vcpu each: of some of them, nothing was noticed."""
        if not self._wanted.guests:
            return
        for identity in set(filter(None, identities(vcpus))):
            if not self._wanted.names(self._guests.guest(identity).name):
                self._counters.ignore(identity)
