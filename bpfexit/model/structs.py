"""Arrays of structs, copied as bytes: numpy copies them field by field, which takes four times."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_bytes(structs: NDArray[Any]) -> NDArray[np.void]:
    """Return the same memory as an array of bytes, one element for each struct."""
    return structs.view(np.dtype((np.void, structs.dtype.itemsize)))


def taken(structs: NDArray[Any], indexes: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of those at these indexes, in that order, or where this mask is true."""
    these: NDArray[Any] = as_bytes(structs)[indexes]
    return these.view(structs.dtype)


def copied(structs: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of all."""
    return as_bytes(structs).copy().view(structs.dtype)


def concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return those of all parts, at least one, which are of one type."""
    joined: NDArray[Any] = np.concatenate([as_bytes(part) for part in parts])
    return joined.view(parts[0].dtype)
