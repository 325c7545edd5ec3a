"""The limit on locked memory, to which Linux before 5.11 charges BPF maps and programs."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def unlimited_locked_memory() -> Iterator[None]:
    """Raise the limit as far as this process may; restore it afterwards.

    What is charged is charged by then, and no command that is run is to inherit it.
    """
    limit = resource.RLIMIT_MEMLOCK
    before = resource.getrlimit(limit)
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError):
        resource.setrlimit(limit, (before[1], before[1]))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, before)
