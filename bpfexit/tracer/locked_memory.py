"""The limit on locked memory, to which Linux before 5.11 charges BPF maps and programs."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

_LIMIT = resource.RLIMIT_MEMLOCK
_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@contextmanager
def unlimited_locked_memory() -> Iterator[None]:
    """Raise the limit as far as this process may; restore it afterwards.

    Maps and programs are charged by then, and a command that is run inherits the caller's limit.
    """
    soft, hard = resource.getrlimit(_LIMIT)
    if not _set(*_UNLIMITED):
        _set(hard, hard)
    try:
        yield
    finally:
        _set(soft, hard)


def _set(soft: int, hard: int) -> bool:
    """Set the limit; return whether that was allowed."""
    try:
        resource.setrlimit(_LIMIT, (soft, hard))
    except (ValueError, OSError):  # ValueError: the hard limit may not be raised
        return False
    return True
