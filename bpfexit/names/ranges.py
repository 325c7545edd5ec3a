"""Names of ranges of ports, guest physical addresses, registers or MSRs."""

Ranges = tuple[tuple[int, int, str], ...]
"""First, last, both inclusive, and the name; in order, without overlap."""


def singles(first: int, *names: str) -> Ranges:
    """Return ranges of one number each, in a row; none where the name is empty."""
    return tuple((at, at, name) for at, name in enumerate(names, first) if name)
