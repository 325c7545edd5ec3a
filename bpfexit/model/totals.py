"""The limit of all sums: 64 bits, beyond which numpy overflows without an error.

Every sum of a snapshot, over any of its rows, is at most its total. It suffices to check
the totals when a snapshot is read from a file or added up.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.model.rows import SUMS, Rows
from bpfexit.model.vcpu_parts import PARTS

MAX_TOTAL = 2**64 - 1
MAX_SIGNED = 2**63 - 1
"""The same for the parts of vCPUs' time, which may be negative in an interval."""


def check_totals(parts: Sequence[Rows], vcpus: NDArray[Any], advice: str = "") -> None:
    """Raise `BpfexitError` if a sum exceeds 64 bits; `vcpus` is of dtype `VCPU_FIELDS`."""
    columns = {name: [part[name] for part in parts] for name in SUMS}
    for name, values in columns.items():
        _check(name, values, MAX_TOTAL, advice)
    for name in PARTS:
        _check(name, [np.abs(vcpus[name]).astype(np.uint64)], MAX_SIGNED, advice)


def _check(name: str, values: list[NDArray[np.uint64]], most: int, advice: str) -> None:
    if sum(map(rough_sum, values)) > most / 2 and sum(map(exact_sum, values)) > most:
        raise BpfexitError(f"the sum of {name} exceeds 64 bits{advice}")


def rough_sum(values: NDArray[np.uint64]) -> float:
    """Return the sum of any size, roughly, in a third of the time that the exact one takes."""
    return float(values.sum(dtype=np.float64))


def exact_sum(values: NDArray[np.uint64]) -> int:
    """Return the sum of any size: the halves of up to 2**32 values cannot overflow."""
    low, high = values & np.uint64(2**32 - 1), values >> np.uint64(32)
    return int(low.sum()) + (int(high.sum()) << 32)
