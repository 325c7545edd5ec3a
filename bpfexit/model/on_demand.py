"""Sequences whose items are made when they are looked at: there may be hundreds of thousands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

ItemT = TypeVar("ItemT")

_KEPT = 1024
"""Items that are kept, those that were looked at last: more than a screen has lines."""


class OnDemand(Sequence[ItemT]):
    """Item i is what `make` returns for `places[i]`."""

    def __init__(self, places: NDArray[np.intp], make: Callable[[int], ItemT]) -> None:
        self._places = places
        self._make = make

    @classmethod
    def keeping(cls, places: NDArray[np.intp], make: Callable[[int], ItemT]) -> OnDemand[ItemT]:
        """Return one that makes an item once as long as there are few."""
        return cls(places, lru_cache(_KEPT)(make))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> ItemT: ...
    @overload
    def __getitem__(self, at: slice) -> OnDemand[ItemT]: ...
    def __getitem__(self, at: Any) -> ItemT | OnDemand[ItemT]:
        if isinstance(at, slice):
            return OnDemand(self._places[at], self._make)
        return self._make(int(self._places[at]))
