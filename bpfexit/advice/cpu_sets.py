"""The CPUs that vCPU threads may run on, and whether more of them share some than there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_MOST_CPUS = 1 << 14
"""More than any Linux has (NR_CPUS is 8,192 at most)."""


@dataclass(frozen=True)
class Crowd:
    """`vcpus` vCPU threads, `own` of them the guest's, that may run on no other CPUs than these."""

    cpus: str
    number: int
    vcpus: int
    own: int


@lru_cache(1 << 13)
def cpu_set(cpus: str) -> frozenset[int] | None:
    """Return the CPUs of a list such as `0-3,8`; None for any other text, which is not trusted."""
    numbers: set[int] = set()
    for part in cpus.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (_is_cpu(first) and _is_cpu(last)):
            return None
        numbers.update(range(int(first), int(last) + 1))
    return frozenset(numbers)


def _is_cpu(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < _MOST_CPUS


def crowd(own: Mapping[str, int], every: Mapping[str, int], host_cpus: int) -> Crowd | None:
    """Return the CPUs that the most vCPU threads too many share; None without any.

    `own` has the guest's vCPU threads by the CPUs on which they may run, `every` those of all
    guests. Threads that may run elsewhere, too, do not count. `host_cpus` is the number of the
    host's CPUs, 0 if unknown: the kernel lists those that are not there, too.
    """
    own_sets, sets = _by_set(own), _by_set(every)
    wanted = {cpus: _within(cpus, own_sets) for cpus in sets}
    found = [
        Crowd(_text(cpus, every), min(len(cpus), host_cpus or len(cpus)), _within(cpus, sets), mine)
        for cpus, mine in wanted.items()
        if mine
    ]
    crowds = [each for each in found if each.vcpus > each.number]
    return max(crowds, key=lambda each: each.vcpus / each.number, default=None)


def _by_set(threads: Mapping[str, int]) -> Counter[frozenset[int]]:
    sums = Counter[frozenset[int]]()
    for text, number in threads.items():
        cpus = cpu_set(text)
        if cpus:
            sums[cpus] += number
    return sums


def _within(cpus: frozenset[int], threads: Counter[frozenset[int]]) -> int:
    """Return how many threads may run on these CPUs only."""
    return sum(number for theirs, number in threads.items() if theirs <= cpus)


def _text(cpus: frozenset[int], every: Mapping[str, int]) -> str:
    return next(text for text in every if cpu_set(text) == cpus)
