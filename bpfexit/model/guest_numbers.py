"""The numbers of guests beside their exits: what each takes of the host."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest_columns import USAGE_COLUMNS
from bpfexit.model.usage import GuestUsage, HostUsage, Role

_Number = Callable[[GuestUsage], float]

_NUMBERS: dict[str, _Number] = {
    "vcpu_cpu": lambda guest: guest.cpu(Role.VCPU),
    "vcpu_wait": lambda guest: guest.wait(Role.VCPU),
    "emulator_cpu": lambda guest: guest.cpu(Role.EMULATOR),
    "emulator_wait": lambda guest: guest.wait(Role.EMULATOR),
    "iothread_cpu": lambda guest: guest.cpu(Role.IOTHREAD),
    "iothread_wait": lambda guest: guest.wait(Role.IOTHREAD),
    "vhost_cpu": lambda guest: guest.cpu(Role.VHOST),
    "vhost_wait": lambda guest: guest.wait(Role.VHOST),
    "throttled": lambda guest: guest.throttled,
    "resident": lambda guest: nan if guest.resident_bytes is None else guest.resident_bytes,
    "swapped": lambda guest: guest.swapped,
}


def guest_numbers(
    usage: HostUsage, vms: tuple[str, ...], guests: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of guests, given by `vm`, an index into `vms`, and `pid`, shape (n,)."""
    of = {(guest.vm, guest.pid): guest for guest in usage.guests}
    known = [of.get((vms[vm], pid)) for vm, pid in guests[["vm", "pid"]].tolist()]
    return {
        column.key: np.array(
            [nan if guest is None else _NUMBERS[column.key](guest) for guest in known], float
        )
        for column in USAGE_COLUMNS
    }
