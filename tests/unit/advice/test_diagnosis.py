"""The order of findings, the account of time, and what is said without any."""

from math import isnan

import pytest

from bpfexit.advice.diagnosis import Verdict, diagnose
from bpfexit.model.snapshot import Origin
from tests.unit.advice.cases import CASES, PVM, SVM, seen
from tests.unit.builders import Exits, snapshot


def test_findings_come_by_cost_and_then_those_without_by_rate() -> None:
    rows = [
        CASES["local-apic"].exits(PVM, 5000, 0),
        CASES["pic"].exits(PVM, 9000, 0),
        CASES["rtc"].exits(PVM, 1000, 100_000),
        CASES["pm-timer"].exits(PVM, 2000, 100_000),
    ]
    (guest,) = diagnose(seen(*rows, backend=PVM)).guests
    assert [each.rule for each in guest.findings] == ["pm-timer", "rtc", "pic", "local-apic"]
    assert guest.findings[0].cost == 2e8
    assert isnan(guest.findings[-1].cost)
    assert guest.cost == 2e8


def test_time_is_accounted_for_vcpu_by_vcpu() -> None:
    exits = Exits(reason="io", ns=(300, 100), user_ns=(200,), vcpu=1, tid=102)
    hlt = Exits(reason="hlt", ns=(5000,), vcpu=1, tid=102)
    other = Exits(reason="cpuid", ns=(50,), vcpu=0, tid=101)
    (guest,) = diagnose(snapshot(exits, hlt, other, guest_ns=700)).guests
    first, second = guest.vcpus
    assert (first.vcpu, first.guest, first.exits, first.user, first.idle) == (0, 700, 50, 0, 0)
    assert (second.vcpu, second.guest, second.exits, second.user) == (1, 700, 400, 200)
    assert (second.idle, second.total) == (5000, 6100)


def test_without_exits_only_user_space_is_known() -> None:
    (guest,) = diagnose(seen(CASES["rtc"].exits(PVM, 10, 1000), backend=PVM)).guests
    (vcpu,) = guest.vcpus
    assert (vcpu.guest, vcpu.exits, vcpu.user, vcpu.idle) == (None, None, 10_000, None)
    assert vcpu.total == 1e9
    assert guest.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("guest_ns", "hlt_ns", "verdict"),
    [
        (980, 10, Verdict.BUSY),
        (10, 980, Verdict.IDLE),
        (500, 490, Verdict.MIXED),
        (0, 0, Verdict.MIXED),
    ],
)
def test_the_account_may_be_the_answer(guest_ns: int, hlt_ns: int, verdict: Verdict) -> None:
    rows = [Exits(reason="io", ns=(10,)), *([Exits(reason="hlt", ns=(hlt_ns,))] * bool(hlt_ns))]
    (guest,) = diagnose(snapshot(*rows, guest_ns=guest_ns)).guests
    assert guest.verdict is verdict
    assert guest.findings == ()


def test_guests_come_by_their_dearest_finding_and_namesakes_are_two() -> None:
    cheap, dear = CASES["pic"].exits(SVM, 2000, 10_000), CASES["pic"].exits(SVM, 2000, 90_000)
    dear = type(dear)(**{**vars(dear), "pid": 200, "tid": 201})
    quiet = Exits(reason="cpuid", ns=(1,), vm="beta", pid=300, tid=301)
    found = diagnose(snapshot(cheap, quiet, dear, origin=Origin("h", "6", SVM, True)))
    assert [(each.vm, each.guest.pid) for each in found.guests] == [
        ("alpha", 200),
        ("alpha", 100),
        ("beta", 300),
    ]


def test_a_snapshot_of_nothing_has_no_guest() -> None:
    assert diagnose(snapshot()).guests == ()
