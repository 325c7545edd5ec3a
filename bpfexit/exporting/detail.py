"""How much is exported of each guest, which determines the number of series."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histogram import POWERS_OF_TWO_NS

OTHER = "other"
"""The label of what has no own series."""

MOST_REASONS = 64
MOST_ADDRESSES = 32

_EDGES_NS = np.array(
    [0, *(1 << power for power in (10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 27))], "u8"
)
"""From 1 µs, the time of a fast exit, to 134 ms; each is a lower edge of a kernel bucket."""


@dataclass(frozen=True)
class Detail:
    """At most `addresses` series of addresses and `vcpus` vCPUs per guest, 0 for their sum.

    `fine` histograms have a bucket per power of two.
    """

    addresses: int = MOST_ADDRESSES
    vcpus: int = 0
    fine: bool = False
    edges_ns: NDArray[np.uint64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges_ns", POWERS_OF_TWO_NS if self.fine else _EDGES_NS)

    @property
    def le(self) -> tuple[str, ...]:
        """The inclusive upper bounds of the buckets, s.

        Latencies are whole nanoseconds and edges are exclusive, so a bound is one below its edge.
        """
        return (*(repr((edge - 1) / 1e9) for edge in self.edges_ns[1:].tolist()), "+Inf")
