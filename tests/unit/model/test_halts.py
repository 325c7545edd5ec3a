"""Halts by how they ended, and the time polled, as a share of a core."""

from math import isnan

import pytest

from bpfexit.events.halt import HALT
from bpfexit.model.view import Query, view
from bpfexit.names.halts import POLLED, POLLED_IN_VAIN, SLEPT
from tests.unit.builders import Exits, pio, snapshot, with_parts

HALTS = (
    Exits("HLT", (50_000,) * 4, kind=HALT, address=POLLED, poll_ns=200_000),
    Exits("HLT", (900_000, 500_000), kind=HALT, address=POLLED_IN_VAIN, poll_ns=300_000),
    Exits("HLT", (10**9,), kind=HALT, address=SLEPT),
    pio(0x70, ns=(3000,)),
)


def test_each_end_has_its_latency_and_what_was_polled() -> None:
    lines = view(snapshot(*HALTS, duration_s=0.001), Query(("reason", "halt"), "name")).lines
    found = {
        line.name.text if line.name else line.reason: (
            line.numbers["count"],
            line.numbers["mean"],
            line.numbers["polled"],
        )
        for line in lines
        if line.depth
    }
    assert found == {
        "polled, and woken": (4, 50_000, pytest.approx(0.2)),
        "polled in vain, slept": (2, 700_000, pytest.approx(0.3)),
        "slept": (1, 10**9, 0),
    }


def test_polling_is_a_share_of_a_core_on_the_account_of_a_vcpu() -> None:
    of = with_parts(snapshot(*HALTS, duration_s=0.001), 100_000, 100_000, 0, 0, 800_000)
    first, *below = view(of, Query(("vcpu", "halt"))).lines
    assert first.numbers["polled"] == pytest.approx(0.5)
    assert first.numbers["idle"] == pytest.approx(0.8)
    assert sorted(line.numbers["polled"] for line in below) == pytest.approx([0, 0.2, 0.3])
    # Idle time is in no sum that mixes reasons.
    assert first.numbers["mean"] == 3000
    assert all(isnan(line.numbers["idle"]) for line in below)


def test_polling_that_was_not_measured_is_unknown() -> None:
    (line,) = view(snapshot(pio(0x70, ns=(3000,))), Query(("reason",))).lines
    assert isnan(line.numbers["polled"])
    assert isnan(line.numbers["poll_mean"])


def test_exits_that_did_not_poll_have_no_mean_of_it() -> None:
    lines = view(snapshot(*HALTS), Query(("reason",))).lines
    means = {line.reason: line.numbers["poll_mean"] for line in lines}
    assert means["HLT"] == pytest.approx(500_000 / 7)
    assert isnan(means["IO_INSTRUCTION"])
