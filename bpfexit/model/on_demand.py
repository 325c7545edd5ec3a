"""Sequences whose items are made on access: there may be hundreds of thousands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

ItemT = TypeVar("ItemT")

_KEPT = 1024
"""Number of items that are kept, the most recent ones: more than a screen has lines."""


class OnDemand(Sequence[ItemT]):
    """Item i is what `make` returns for `indexes[i]`."""

    def __init__(self, indexes: NDArray[np.intp], make: Callable[[int], ItemT]) -> None:
        self._indexes = indexes
        self._make = make

    @classmethod
    def keeping(cls, indexes: NDArray[np.intp], make: Callable[[int], ItemT]) -> OnDemand[ItemT]:
        """Return a sequence that keeps its most recent items."""
        return cls(indexes, lru_cache(_KEPT)(make))

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> ItemT: ...
    @overload
    def __getitem__(self, index: slice) -> OnDemand[ItemT]: ...
    def __getitem__(self, index: Any) -> ItemT | OnDemand[ItemT]:
        if isinstance(index, slice):
            return OnDemand(self._indexes[index], self._make)
        return self._make(int(self._indexes[index]))
