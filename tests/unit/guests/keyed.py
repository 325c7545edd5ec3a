"""Guests as they are handed to what reads their memory maps."""

from bpfexit.guests.maps.published import GuestKey, guest_key
from bpfexit.model.guest import Guest


def key(guest: Guest) -> GuestKey:
    return guest_key(guest, None)


def keyed(*guests: Guest) -> dict[GuestKey, Guest]:
    return {key(guest): guest for guest in guests}
