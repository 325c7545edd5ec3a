"""Waiting for what comes at some time, however slow the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ENOUGH_S = 120.0

_LOOK_S = 0.05


def eventually(look: Callable[[], T | None], within_s: float = ENOUGH_S) -> T:
    """Look until there is something; return it."""
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end, f"after {within_s:g} s it is still {found!r}"
        time.sleep(_LOOK_S)
    return found
