"""The time of guests and vCPUs as shares of their own."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.vcpu_time import with_idle_vcpus
from bpfexit.model.view import Query, view
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots

PARTS = ("in_guest", "in_kvm", "in_user", "steal", "idle")
MS = 10**6
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def numbers(of: Snapshot, vm: str) -> dict[str, float]:
    (line,) = (line for line in view(of, Query(("vm",))).lines if line.vm == vm)
    return line.numbers


def test_the_parts_of_a_guest_with_two_vcpus() -> None:
    of = snapshot(
        pio(0x608, ns=(300 * MS,), user_ns=(200 * MS,)),
        Exits("HLT", (400 * MS,), tid=102, vcpu=1),
        pio(0x70, ns=(100 * MS,), vm="beta", pid=200, tid=201),
        guest_ns=500 * MS,
    )
    alpha = numbers(of, "alpha")
    assert alpha["in_guest"] == pytest.approx(0.5)
    assert alpha["in_kvm"] == pytest.approx(0.05)
    assert alpha["in_user"] == pytest.approx(0.1)
    assert alpha["away"] == pytest.approx(0.15)
    assert alpha["idle"] == pytest.approx(0.35)
    assert numbers(of, "beta")["away"] == pytest.approx(0.1)


def test_an_exit_that_began_before_the_interval_makes_no_more_than_all_of_it() -> None:
    of = snapshot(pio(0x608, ns=(5000 * MS,)), guest_ns=0)
    assert numbers(of, "alpha")["away"] == pytest.approx(1)
    assert numbers(of, "alpha")["idle"] == pytest.approx(0)


def test_a_long_trip_to_user_space_makes_no_more_than_all_of_it() -> None:
    of = replace(snapshot(pio(0x70, no_latency=1, user_ns=(3000 * MS,), isa=Isa.NONE)), origin=PVM)
    assert numbers(of, "alpha")["in_user"] == 1


def test_an_idle_guest_has_a_line() -> None:
    of = snapshot(pio(0x70, ns=(5,)), pio(0x70, ns=(5,), vm="idle", pid=200, tid=201))
    of.rows.fields["vm"][1] = 0
    of.rows.fields["pid"][1], of.rows.fields["tid"][1] = 100, 101
    assert numbers(of, "idle")["rate"] == 0
    assert numbers(of, "idle")["idle"] == 1
    assert len(view(of, Query(("vcpu",))).lines) == 2


def test_without_exit_events_only_the_time_in_user_space_is_known() -> None:
    row = pio(0x608, isa=Isa.NONE, reason=None, no_latency=4, user_ns=(250 * MS,))
    found = numbers(snapshot(row, origin=PVM), "alpha")
    assert found["in_user"] == pytest.approx(0.25)
    assert all(isnan(found[name]) for name in ("in_guest", "in_kvm", "away", "idle"))


@given(snapshots(Isa.VMX) | snapshots(Isa.SVM), st.sampled_from([("vm",), ("vcpu",)]))
def test_the_parts_are_all_of_the_time(of: Snapshot, by: tuple[str, ...]) -> None:
    for line in view(of, Query(by)).lines:
        parts = [line.numbers[name] for name in PARTS]
        known = [part for part in parts if not isnan(part)]
        assert all(part >= 0 for part in known)
        assert not known or sum(known) == pytest.approx(1)


@given(snapshots())
def test_rows_of_idle_vcpus_count_nothing(of: Snapshot) -> None:
    found = with_idle_vcpus(of)
    assert found.exits == of.exits
    assert {*of.vcpus["tid"].tolist()} <= {*found.rows["tid"].tolist()}
    assert np.array_equal(found.rows.hist.totals()[: len(of.rows)], of.rows.hist.totals())


def test_waiting_for_a_cpu_is_in_no_other_part() -> None:
    of = snapshot(pio(0x608, ns=(300 * MS,), user_ns=(200 * MS,)))
    vcpus = of.vcpus.copy()
    vcpus["has_parts"] = True
    for name, ms in (("guest", 100), ("kvm", 50), ("user", 100), ("wait", 200), ("idle", 550)):
        vcpus[f"{name}_ns"] = ms * MS
    origin = replace(of.origin, has_waiting=True)
    found = numbers(replace(of, origin=origin, vcpus=vcpus), "alpha")
    assert found["steal"] == pytest.approx(0.2)
    assert found["in_user"] == pytest.approx(0.1)
    assert found["in_kvm"] == pytest.approx(0.05)
    assert found["away"] == pytest.approx(0.35)
    assert found["idle"] == pytest.approx(0.55)


def test_guests_of_the_same_name_keep_their_lines_beside_one_that_has_not_exited() -> None:
    of = snapshot(Exits(no_latency=3), Exits(vm="beta", pid=101, no_latency=5))
    guests = tuple(Guest(pid, name) for pid, name in ((100, "beta"), (101, "beta"), (102, "new")))
    of = replace(of, vms=("beta", "beta"), guests=guests)
    lines = view(of, Query(("vm",))).lines
    assert {(line.vm, line.pid): line.numbers["count"] for line in lines} == {
        ("beta", 100): 3,
        ("beta", 101): 5,
        ("new", 102): 0,
    }
