"""A range of ports, guest physical addresses or MSRs, and its name."""

from dataclasses import dataclass

from bpfexit.events.kind import Kind


@dataclass(frozen=True)
class Region:
    """Ports, guest physical addresses or MSRs from `first` to `last`, both inclusive."""

    kind: Kind
    first: int
    last: int
    name: str
