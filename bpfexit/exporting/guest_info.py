"""The labels that join a guest with the metrics of other exporters."""

from bpfexit.guests.identity import guest_identity
from bpfexit.model.guest import Guest
from bpfexit.model.text import clean


def guest_info(guest: Guest) -> tuple[str, ...]:
    """Return the values of the labels of `GUEST_INFO` after the guest's, escaped."""
    return (str(guest.pid), *map(clean, guest_identity(guest)), guest.vmm)
