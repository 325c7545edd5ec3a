"""Costs are differences of counters, and ratios only of what took place."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.own_cost import (
    OwnCost,
    ProgramRuns,
    ProgramsCost,
    Reading,
    programs_cost,
)
from tests.unit.builders import OWN_COSTS, PROGRAMS_COSTS

BEFORE = Reading(1_000, (ProgramRuns("kvm_entry", 5, 500), ProgramRuns("kvm_exit", 6, 900)), 40)
AFTER = Reading(
    2_000_001_000, (ProgramRuns("kvm_entry", 105, 5_500), ProgramRuns("kvm_exit", 106, 15_900)), 90
)


def test_the_counters_are_subtracted() -> None:
    cost = programs_cost(BEFORE, AFTER, start=7.0)
    assert cost == ProgramsCost(
        7.0, 2.0, 100, (ProgramRuns("kvm_entry", 100, 5_000), ProgramRuns("kvm_exit", 100, 15_000))
    )
    assert (cost.runs, cost.ns) == (200, 20_000)
    assert (cost.runs_per_exit, cost.ns_per_exit) == (2, 200)
    assert cost.core_share == 1e-5
    assert cost.core_share_of(5_000) == 2.5e-6
    assert cost.share_of(400_000) == 0.05
    assert cost.programs[1].mean == 150


def test_without_kvm_exit_the_accesses_count() -> None:
    before = Reading(0, (ProgramRuns("kvm_pio", 1, 10),), 40)
    after = Reading(10**9, (ProgramRuns("kvm_pio", 101, 5_010),), 90)
    cost = programs_cost(before, after, start=0.0)
    assert (cost.exits, cost.ns_per_exit) == (50, 100)


def test_of_what_did_not_take_place_there_is_no_ratio() -> None:
    cost = programs_cost(BEFORE, BEFORE, start=7.0)
    ratios = [cost.ns_per_exit, cost.runs_per_exit, cost.core_share, cost.share_of(0)]
    assert all(map(isnan, [*ratios, cost.programs[0].mean, OwnCost().core_share]))


def test_the_process_takes_its_share_of_the_time_it_is_known_for() -> None:
    unknown = OwnCost()
    assert (OwnCost(0.5, 1.0) + unknown + OwnCost(0.1, 2.0)).core_share == pytest.approx(0.2)


@given(OWN_COSTS, PROGRAMS_COSTS)
def test_what_was_measured_last_counts(cost: OwnCost, last: ProgramsCost) -> None:
    measured = OwnCost(0.0, 0.0, last)
    assert (cost + measured).programs == (measured + OwnCost()).programs == last


@given(st.lists(OWN_COSTS, max_size=4))
def test_cpu_time_adds_up(costs: list[OwnCost]) -> None:
    total = sum(costs, OwnCost())
    assert total.cpu_s == pytest.approx(sum(cost.cpu_s for cost in costs))
