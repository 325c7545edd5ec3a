"""Arrays of which only what is filled takes memory."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_SMALL = 1 << 20


def room(most: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of up to `most` elements, to be filled from its beginning.

    A large one has a mapping of its own: the system gives it memory as it is filled, and
    takes all of that back when it is gone. From malloc's heap, arrays of some megabytes
    leave holes, which made a process half as large again.
    """
    size = most * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(most, dtype)
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), dtype)
