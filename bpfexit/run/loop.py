"""One loop for every command: one snapshot after another, at the pace that was asked for."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bpfexit.model.snapshot import Snapshot
from bpfexit.recording.total import SUM_MEMORY, Adding
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Source

_ROUNDING_S = 1e-6
"""Less than that is left of a run when its intervals only do not add up as floats."""

MEASURING_S = 0.5
"""How long bpfexit's own cost is measured, at most."""


@dataclass(frozen=True)
class Run:
    """How long to go on: `interval` s each, at most `count` of them and `duration` s."""

    interval: float
    count: int | None = None
    duration: float | None = None

    def ends(self, number: int, elapsed: float) -> bool:
        """Say whether interval `number`, from 1, is the last; it ends after `elapsed` s."""
        if self.count is not None and number >= self.count:
            return True
        return self.duration is not None and elapsed >= self.duration

    def next_end(self, previous: float, now: float) -> float:
        """Return when the interval after `previous` ends, s since the start: no drift, no burst."""
        end = max(previous + self.interval, now)
        if self.duration is not None and end > self.duration - _ROUNDING_S:
            return self.duration
        return end


def intervals(
    source: Source, run: Run, interrupts: Interrupts, *, measure_cost: bool = False
) -> Iterator[Snapshot]:
    """Yield a snapshot an interval; the last is read when the source has been stopped.

    A source that says itself how long its snapshots are is not waited for. With
    `measure_cost`, the first snapshot says what the programs cost.
    """
    begun = time.monotonic()
    number, end = 0, 0.0
    last = False
    while not last:
        number += 1
        lasts = source.due()
        if lasts is None:
            end = run.next_end(end, time.monotonic() - begun)
            if measure_cost and number == 1:
                with source.measuring_cost():
                    interrupts.wait(min(MEASURING_S, begun + end - time.monotonic()))
            interrupts.wait(begun + end - time.monotonic())
        else:
            end += lasts
        last = interrupts.stopped or run.ends(number, end)
        snapshot = last_of(source) if last else source.next()
        if snapshot is None:
            return
        yield snapshot


def last_of(source: Source) -> Snapshot | None:
    """Return what is left to read; of a source that needs no stopping, the next."""
    return source.close() if source.due() is None else source.next()


def adding_for(source: Source) -> Adding:
    """Return what adds up a source's snapshots, in bounded memory.

    A recording that takes more is refused; on a live host, which may go on for ever, guests
    that ended long ago are added up.
    """
    if source.due() is None:
        return Adding(bounded=True)
    return Adding(SUM_MEMORY)
