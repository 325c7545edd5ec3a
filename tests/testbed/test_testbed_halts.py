"""How halts end on a real `kvm_amd`: as ftrace saw each of them, and as KVM counts them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bpfexit.names.halts import POLLED, POLLED_IN_VAIN, SLEPT
from tests.counting import tids
from tests.ftrace import Event
from tests.ftrace import recorded as traced
from tests.testbed.comparing import of
from tests.testbed.conftest import Findings
from tests.testbed.kernels import Kernel
from tests.testbed.vendors import Vendor


@dataclass
class Halt:
    """A halt, by its last wake-up: all its wake-ups, and the time that KVM polled in them."""

    outcome: int = 0
    wakeups: int = 0
    polled_ns: int = 0
    is_clear: bool = True
    """Whether it is known to have polled, or not to."""

    is_cut_short: bool = False
    """Whether KVM polled for an unknown time, until another task wanted the CPU."""

    def wake(self, wakeup: Event, told: int | None, limit: int | None) -> None:
        """Add a wake-up; kvm_halt_poll_ns told one limit of the poll for it, or once before it."""
        ns, slept = wakeup.fields["ns"], wakeup.fields["waited"]
        most = ns if limit is None else limit
        polled = min(ns, told if told is not None else 0 if slept else most)
        self.is_clear &= bool(slept) or told is not None or limit is not None
        # A halt that outlasts the poll has an event of its own, which changes the limit.
        self.is_cut_short |= bool(slept) and told is None and ns <= (limit or 0)
        self.outcome = (POLLED if polled else 0) | (SLEPT if slept else 0)
        self.wakeups += 1
        self.polled_ns += polled


@pytest.fixture(scope="session")
def found(findings: Findings) -> Any:
    return findings("halts_viewed")


@pytest.fixture(scope="session")
def truth(found: Any) -> list[Halt]:
    """Return the exits that halted, as ftrace saw them."""
    (tid,) = tids(found["guest"])
    halts: list[Halt] = []
    halt, told, limit = Halt(), None, None
    for event in traced(Path(found["trace"])):
        if event.tid != tid:
            continue
        if event.name == "kvm_exit":
            halt, told = Halt(), None
        elif event.name == "kvm_halt_poll_ns":
            told, limit = event.fields["old"], event.fields["new"]
        elif event.name == "kvm_vcpu_wakeup":
            halt.wake(event, told, limit)
            told = None
        elif event.name == "kvm_entry" and halt.wakeups:
            halts.append(halt)
            halt = Halt()
    return halts


def test_each_halt_is_counted_by_how_it_ended(
    found: Any, truth: list[Halt], vendor: Vendor
) -> None:
    result = of(found)
    ours: Counter[int] = Counter()
    for row in result.rows:
        if row["kind"] == "halt":
            assert row["reason"] == vendor.halt
            ours[row["address"]] += row["count"]
    assert ours == Counter(halt.outcome for halt in truth)
    done = sum(each["count"] for each in result.operations() if each["op"] == "hlt")
    assert result.reasons()[vendor.halt] == done >= ours.total()
    assert ours[POLLED] > 0
    assert ours[SLEPT] + ours[POLLED_IN_VAIN] > 0
    again = sum(halt.wakeups for halt in truth) - len(truth)
    assert result.lost == ({"extra_accesses": again} if again else {})


def test_the_time_polled_is_that_of_the_events(found: Any, truth: list[Halt]) -> None:
    polled = sum(row["poll_ns"] for row in of(found).rows)
    assert polled == sum(halt.polled_ns for halt in truth) > 0


def test_kvm_has_counted_as_many(
    found: Any, truth: list[Halt], vendor: Vendor, kernel: Kernel
) -> None:
    counters = found["counters"]
    assert counters["halt_exits"] == of(found).reasons()[vendor.halt]
    outcomes = Counter(halt.outcome for halt in truth)
    if all(halt.wakeups == 1 and halt.is_clear for halt in truth):
        # KVM may count a poll of one that was woken at once, it counts those cut short, and Linux
        # 5.10 leaves out those that end between the poll and the sleep.
        at_once = outcomes[0]
        missed = outcomes[POLLED] - counters["halt_successful_poll"]
        assert -at_once <= missed <= (len(truth) if kernel.suite == "bullseye" else 0)
        polls = outcomes[POLLED] + outcomes[POLLED_IN_VAIN]
        polls += sum(halt.is_cut_short for halt in truth)
        assert polls <= counters["halt_attempted_poll"] <= polls + at_once
