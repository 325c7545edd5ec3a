"""How long named functions take while a block runs."""

import functools
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock


@contextmanager
def timing(
    parts: Mapping[str, tuple[str, ...]], clock: Callable[[], float]
) -> Iterator[dict[str, float]]:
    """Yield what each part has taken by now: a part is some functions, by their dotted names.

    A name is where its caller looks it up.
    """
    took = dict.fromkeys(parts, 0.0)
    with ExitStack() as stack:
        for part, names in parts.items():
            for name in names:
                timed = _timed(pkgutil.resolve_name(name), part, took, clock)
                stack.enter_context(mock.patch(name, timed))
        yield took


def _timed(
    function: Callable[..., Any], part: str, took: dict[str, float], clock: Callable[[], float]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        begun = clock()
        try:
            return function(*arguments, **named)
        finally:
            took[part] += clock() - begun

    return timed
