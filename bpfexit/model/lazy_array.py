"""Arrays that take memory only as they are filled."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_SMALL = 1 << 20


def lazy_array(most: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of up to `most` elements, to be filled from its beginning.

    A large one has its own mapping: the system gives it memory as it is filled, and takes all
    of it back when it is freed. On malloc's heap, arrays of some megabytes leave holes, which
    made a process half as large again.
    """
    size = most * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(most, dtype)
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), dtype)
