"""A bound on the number of series: the first keys have their own, later ones share one."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class FirstKeys(Generic[KeyT]):
    """Knows which keys have their own series; such a key keeps it."""

    def __init__(self, most: int, shared: Callable[[KeyT], KeyT]) -> None:
        """Keep the first `most` keys; `shared` returns the key that stands for any other one."""
        self._most = most
        self._shared = shared
        self._own: set[KeyT] = set()

    def series(self, key: KeyT) -> KeyT:
        """Return the key of the series that counts of `key` belong to."""
        if key not in self._own:
            if len(self._own) >= self._most:
                return self._shared(key)
            self._own.add(key)
        return key
