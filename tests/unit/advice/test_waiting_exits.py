"""Exits of vCPUs that wait for a CPU, and cost much without that, too: both are findings."""

from dataclasses import replace
from typing import Any

from bpfexit.model.usage import HostUsage, Role, ThreadTimes
from bpfexit.names.reasons import Isa
from tests.unit.advice.cases import SVM, mmio, pio, seen
from tests.unit.advice.recordings import found
from tests.unit.advice.test_starved import usage
from tests.unit.builders import Exits

APIC_EOI = 0xFEE000B0


def test_a_clock_that_costs_much_is_said_beside_the_waiting() -> None:
    about: dict[str, Any] = {"user_ns": (15_000,) * 20_000, **pio(0x608)}
    clock = Exits("io", ns=(40_000,) * 20_000, wait_ns=500_000_000, isa=Isa.SVM, **about)
    of = seen(clock, backend=SVM, usage=HostUsage((usage(),)), cpus=8)
    assert set(found(of)) == {"cpu-starved", "pm-timer"}
    rare = Exits("io", ns=(40_000,) * 400, wait_ns=14_000_000, isa=Isa.SVM, **pio(0x608))
    assert [*found(seen(rare, backend=SVM, usage=HostUsage((usage(),)), cpus=8))] == ["cpu-starved"]


def test_exits_of_one_finding_are_weighed_together() -> None:
    """Each register of the APIC page costs less than a finding without its waiting, not both."""
    about: dict[str, Any] = {"ns": (5_000,) * 3_000, "wait_ns": 8_000_000, "isa": Isa.SVM}
    both = [Exits("npf", **about, **mmio(0xFEE00000 + at)) for at in (0x30, 0xB0)]
    of = seen(*both, backend=SVM, usage=HostUsage((usage(),)), cpus=8)
    rules = found(of)
    assert {"cpu-starved", "local-apic"} == {*rules}
    assert len(rules["local-apic"].lines) == len(both)
    # Once, for long.
    stopped: dict[str, Any] = {"ns": (30_000_000, *both[1].ns), "wait_ns": 38_000_000}
    of = seen(both[0], replace(both[1], **stopped), backend=SVM, usage=of.usage, cpus=8)
    assert len(found(of)["local-apic"].lines) == len(both)
    one = seen(both[0], backend=SVM, usage=HostUsage((usage(),)), cpus=8)
    assert [*found(one)] == ["cpu-starved"]


def test_a_few_exits_that_waited_do_not_hide_what_many_are_for_if_waiting_is_not_measured() -> None:
    """Linux 5.10 tells of each thread's waiting, not of each exit's."""
    eoi = Exits("npf", ns=(*((4_000_000,) * 5), *((4_000,) * 3000)), isa=Isa.SVM, **mmio(APIC_EOI))
    interrupt = Exits("interrupt", ns=(5_000_000,) * 20, isa=Isa.SVM)
    waits = HostUsage((usage(),))
    rules = found(seen(eoi, interrupt, backend=SVM, usage=waits, cpus=8))
    assert {*rules} == {"cpu-starved", "local-apic"}
    assert [line.reason for line in rules["cpu-starved"].lines] == ["interrupt"]
    # Too few of them to be a finding without those that lasted long.
    rare = replace(eoi, ns=eoi.ns[:100])
    assert [*found(seen(rare, interrupt, backend=SVM, usage=waits, cpus=8))] == ["cpu-starved"]
    # Nothing tells that the vCPUs waited.
    assert [*found(seen(eoi, interrupt, backend=SVM, cpus=8))] == ["slow-exits"]


def test_long_exits_that_the_waiting_does_not_explain_stay_slow_if_it_is_not_measured() -> None:
    eoi = Exits("npf", ns=(*((9_000_000,) * 60), *((4_000,) * 3000)), isa=Isa.SVM, **mmio(APIC_EOI))
    little = HostUsage((usage(threads=(ThreadTimes(Role.VCPU, 1, 400_000_000, 60_000_000),)),))
    rules = found(seen(eoi, backend=SVM, usage=little, cpus=8))
    assert {*rules} == {"cpu-starved", "slow-exits"}
    assert not rules["cpu-starved"].lines
