"""Names of ranges of ports, guest physical addresses, registers or MSRs."""

from collections.abc import Mapping

Ranges = tuple[tuple[int, int, str], ...]
"""First and last number, both inclusive, and the name; ascending, without overlap."""


def singles(first: int, *names: str) -> Ranges:
    """Return a range of one number per name, from `first` on; none for an empty name."""
    return tuple((number, number, name) for number, name in enumerate(names, first) if name)


def by_number(names: Mapping[int, str]) -> Ranges:
    """Return ranges of one number each."""
    return tuple((number, number, names[number]) for number in sorted(names))
