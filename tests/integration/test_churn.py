"""Guests start and end all the time, more than there is space for at once: all is counted once."""

import os

import pytest

from bpfexit.model.ended import MOST_ENDED
from bpfexit.tracer.slots import vcpu_slots
from tests.churn import Tracer, traced_churn

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm", "needs_root")

SLOTS = vcpu_slots(os.cpu_count() or 1)
GUESTS = SLOTS * 5 // 8
ROWS = 4 * SLOTS
LOSSES = ("map_full", "vcpus_full", "missed")


def test_every_exit_is_counted_once_under_two_tracers() -> None:
    done, tracers = traced_churn(GUESTS, 2, ["-i", "0.1", "--max-rows", str(ROWS)])
    assert len({thread for thread, _ in done}) > SLOTS
    assert len(done) > ROWS
    for tracer in tracers:
        assert tracer.complaint == ""
        assert tracer.wrong(done) == 0
        assert {name: tracer.lost[name] for name in LOSSES} == dict.fromkeys(LOSSES, 0)
        assert_bounded(tracer)


def assert_bounded(tracer: Tracer) -> None:
    """See that no line grows with the guests that have been: their names are kept for a while.

    Those that have ended since the line before are all named, as are those with exits.
    """
    before: set[int] = set()
    for document in tracer.snapshots:
        ended = set(document["ended_pids"])
        seen = {vcpu["pid"] for vcpu in document["vcpus"]}
        assert len((ended & before) - seen) <= MOST_ENDED
        before = ended
