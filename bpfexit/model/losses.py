"""Losses: what the rows lack, each defined once, with its meaning."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, fields


def _loss(meaning: str, *, undercounts: bool = False) -> int:
    """Define a loss; one that undercounts makes the counts in the rows too small."""
    count: int = field(default=0, metadata={"meaning": meaning, "undercounts": undercounts})
    return count


@dataclass(frozen=True)
class Lost:
    """Counts of what is missing from the rows, or incomplete in them; all are exact."""

    map_full: int = _loss("exits in no row, the map is full", undercounts=True)
    vcpus_full: int = _loss("exits of vCPUs beyond the map's size", undercounts=True)
    missed: int = _loss("program runs skipped by the kernel", undercounts=True)
    unpaired: int = _loss("exits without a latency, no entry was seen")
    extra_accesses: int = _loss("accesses beyond the first of their exit")
    string_io: int = _loss("exits by string I/O, whose accesses --exact-io counts")
    unended: int = _loss("exits in which their vCPU ended")

    def __add__(self, other: Lost) -> Lost:
        return Lost(*map(operator.add, _numbers(self), _numbers(other)))

    def __sub__(self, other: Lost) -> Lost:
        return Lost(*map(operator.sub, _numbers(self), _numbers(other)))


LOSSES: dict[str, str] = {loss.name: loss.metadata["meaning"] for loss in fields(Lost)}
"""The meaning of each loss, by name."""

_numbers = operator.attrgetter(*LOSSES)

NOT_COUNTED: tuple[str, ...] = tuple(
    loss.name for loss in fields(Lost) if loss.metadata["undercounts"]
)
"""Losses that make the counts too small; the others concern exits that are counted."""
