"""A guest's memory and UUID, from its command line. The text is not trusted."""

from __future__ import annotations

import re
from fractions import Fraction

from bpfexit.guests.guest_names import option_values
from bpfexit.model.guest import Guest

_UNITS = {unit: 1 << 10 * power for power, unit in enumerate("BKMGTPE")}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([BKMGTPE]?)", re.ASCII | re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LARGEST = 2**63 - 1


def configured_memory(guest: Guest, arguments: tuple[str, ...]) -> int | None:
    """Return the bytes of memory that a machine starts with; None if no option gives them."""
    if guest.vmm == "qemu":
        sizes = [size for name, value in guest.options if name == "m" if (size := _size(value))]
        return _bytes(sizes[-1], "M") if sizes else None
    if guest.vmm == "cloud-hypervisor":
        values = [*option_values(arguments, "--memory")]
        return _bytes(_property(values[-1], "size"), "B") if values else None
    return None


def configured_uuid(guest: Guest, arguments: tuple[str, ...]) -> str | None:
    """Return the machine's UUID in lower case; None if no option gives a valid one."""
    if guest.vmm == "qemu":
        values = [*option_values(arguments, "-uuid", "--uuid")]
    elif guest.vmm == "cloud-hypervisor":
        values = [_property(value, "uuid") for value in option_values(arguments, "--platform")]
    else:
        values = []
    uuid = values[-1].lower() if values else ""
    return uuid if _UUID.fullmatch(uuid) else None


def _size(value: str) -> str:
    """Return the size of QEMU's `-m [size=]SIZE[,slots=N,maxmem=SIZE]`; "" if there is none.

    QEMU merges repeated `-m` options: one without a size leaves the size as it is.
    """
    first = value.partition(",")[0]
    return first if "=" not in first else _property(value, "size")


def _property(value: str, key: str) -> str:
    """Return the last TEXT of `key=TEXT` in a list separated by commas; "" if there is none."""
    settings = [part for part in value.split(",") if part.startswith(f"{key}=")]
    return settings[-1].removeprefix(f"{key}=") if settings else ""


def _bytes(text: str, default_unit: str) -> int | None:
    """Read `4096`, `4G` or `1.5g`; None for any other text, and for 0, which means a default."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    size = round(Fraction(match[1]) * _UNITS[match[2].upper() or default_unit])
    return size if 0 < size <= _LARGEST else None
