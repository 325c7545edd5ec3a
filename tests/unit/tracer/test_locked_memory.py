"""The limit on locked memory is raised meanwhile, as far as that is allowed."""

import resource

import pytest

from bpfexit.tracer.locked_memory import unlimited_locked_memory

Limits = tuple[int, int]
BEFORE: Limits = (65536, 1 << 20)
UNLIMITED: Limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


class Limit:
    """What a process may do with its limit: raise the hard one, or change it at all."""

    def __init__(self, may_raise_hard: bool, error: Exception | None = None) -> None:
        self.now = BEFORE
        self._may_raise_hard = may_raise_hard
        self._error = error

    def get(self, kind: int) -> Limits:
        assert kind == resource.RLIMIT_MEMLOCK
        return self.now

    def set(self, kind: int, limits: Limits) -> None:
        assert kind == resource.RLIMIT_MEMLOCK
        if self._error:
            raise self._error
        if limits == UNLIMITED and not self._may_raise_hard:
            raise ValueError("not allowed to raise maximum limit")
        self.now = limits


@pytest.mark.parametrize(
    ("limit", "meanwhile"),
    [
        (Limit(may_raise_hard=True), UNLIMITED),
        (Limit(may_raise_hard=False), (BEFORE[1], BEFORE[1])),
        (Limit(may_raise_hard=True, error=PermissionError(1, "by a seccomp filter")), BEFORE),
    ],
)
def test_it_is_raised_as_far_as_it_may_be_and_restored(
    monkeypatch: pytest.MonkeyPatch, limit: Limit, meanwhile: Limits
) -> None:
    monkeypatch.setattr(resource, "getrlimit", limit.get)
    monkeypatch.setattr(resource, "setrlimit", limit.set)
    with unlimited_locked_memory():
        assert limit.now == meanwhile
    assert limit.now == BEFORE
