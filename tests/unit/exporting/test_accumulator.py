"""Snapshots become counters that are exact, never shrink and never move."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.exporting.detail import Detail
from bpfexit.exporting.family import Buckets, Family, Type, Value
from bpfexit.model.guest import Guest
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.losses import LOSSES, Lost
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.usage import GuestUsage, HostUsage, Quota, Role, ThreadTimes
from bpfexit.names.reasons import Isa
from tests.unit.builders import Exits, pio, snapshot, snapshots, with_parts
from tests.unit.exporting.exposed import Exposed, accumulator, after, exposed

ALPHA = Guest(100, "alpha", vmm="qemu")
PVM = Origin("host", "6.18.0", "kvm_pvm", has_exit_events=False)


def test_exits_are_counted_by_guest_and_reason() -> None:
    found = after(
        snapshot(Exits("CPUID", ns=(10,) * 3), Exits("HLT", ns=(5,) * 2)),
        snapshot(Exits("CPUID", ns=(10,) * 4), Exits("CPUID", ns=(10,), vm="beta", pid=7)),
    )
    assert found["bpfexit_exits_total"] == {
        ("alpha", "CPUID"): 7,
        ("alpha", "HLT"): 2,
        ("beta", "CPUID"): 1,
    }


def test_the_time_of_exits_has_two_parts_and_leaves_out_hlt() -> None:
    found = after(snapshot(pio(0x70, ns=(3000, 2000), user_ns=(1000,)), Exits("HLT", ns=(10**9,))))
    assert found["bpfexit_exit_seconds_total"] == {
        ("alpha", "IO_INSTRUCTION", "kvm"): pytest.approx(4e-6),
        ("alpha", "IO_INSTRUCTION", "user"): pytest.approx(1e-6),
    }
    assert found["bpfexit_userspace_exits_total"] == {("alpha", "IO_INSTRUCTION"): 1}


def test_vcpu_time_has_hlt_apart() -> None:
    found = after(
        snapshot(pio(0x70, ns=(3000,), user_ns=(1000,)), Exits("HLT", ns=(9000,)), guest_ns=5000)
    )
    assert found["bpfexit_vcpu_seconds_total"] == {
        ("alpha", "guest"): pytest.approx(1e-5),  # of both intervals
        ("alpha", "halted"): pytest.approx(9e-6),
        ("alpha", "kvm"): pytest.approx(2e-6),
        ("alpha", "user"): pytest.approx(1e-6),
    }


def test_waiting_is_a_part_where_it_is_measured_and_absent_elsewhere() -> None:
    row = pio(0x70, ns=(3000,), user_ns=(2000,), wait_ns=900, user_wait_ns=500)
    found = after(snapshot(row))
    assert found["bpfexit_exit_seconds_total"] == {
        ("alpha", "IO_INSTRUCTION", "kvm"): pytest.approx(6e-7),
        ("alpha", "IO_INSTRUCTION", "user"): pytest.approx(1.5e-6),
        ("alpha", "IO_INSTRUCTION", "wait"): pytest.approx(9e-7),
    }
    assert ("alpha", "waiting") not in found["bpfexit_vcpu_seconds_total"]
    found = after(with_parts(snapshot(row), 5000, 600, 1500, 1900, 7000))
    assert found["bpfexit_vcpu_seconds_total"] == {
        ("alpha", "guest"): pytest.approx(1e-5),  # of both intervals
        ("alpha", "kvm"): pytest.approx(1.2e-6),
        ("alpha", "user"): pytest.approx(3e-6),
        ("alpha", "waiting"): pytest.approx(3.8e-6),
        ("alpha", "halted"): pytest.approx(1.4e-5),
    }
    no_wait = after(snapshot(pio(0x70, ns=(3000,), user_ns=(2000,))))
    assert ("alpha", "IO_INSTRUCTION", "wait") not in no_wait["bpfexit_exit_seconds_total"]


def test_histograms_are_by_class_and_exact() -> None:
    latencies = (1023, 1024, 2**27 - 1, 2**27)
    found = after(
        snapshot(
            Exits("npf", ns=latencies, kind=MMIO, access=Access.READ, address=1),
            Exits("npf", ns=(100,)),
            Exits("hlt", ns=(100,)),
        )
    )["bpfexit_exit_duration_seconds"]
    assert found["alpha", "mmio"] == Buckets((1, 1, *[0] * 8, 1, 1), sum(latencies) / 1e9)
    assert found["alpha", "fault"] == Buckets((1, *[0] * 11), 1e-7)
    assert len(found) == 2


@pytest.mark.parametrize("fine", [False, True])
def test_no_edge_splits_a_bucket_that_is_kept(fine: bool) -> None:
    edges = Detail(fine=fine).edges_ns
    assert set(edges.tolist()) <= set(LOWER_NS.tolist())
    assert len(Detail(fine=fine).le) == len(edges)
    assert fine or len(edges) == 12


def test_without_kvm_exit_there_are_accesses_and_no_exits() -> None:
    row = pio(0x608, reason=None, isa=Isa.NONE, no_latency=997, user_ns=(10,) * 997)
    found = after(snapshot(row, origin=PVM))
    assert found["bpfexit_access_total"] == {("alpha", "pio", "0x0608", "read", "acpi-tmr?"): 997}
    assert found["bpfexit_exit_seconds_total"] == {
        ("alpha", "none", "user"): pytest.approx(9.97e-6)
    }
    for name in ("exits_total", "exit_duration_seconds", "vcpu_seconds_total"):
        assert f"bpfexit_{name}" not in found


def test_an_address_keeps_its_series_and_later_ones_are_other() -> None:
    detail = Detail(addresses=2)
    first = snapshot(pio(0x10, ns=(1,) * 2), pio(0x20, ns=(1,) * 3), pio(0x30, ns=(1,)))
    second = snapshot(pio(0x30, ns=(1,) * 50), pio(0x10, ns=(1,)))
    found = after(first, second, detail=detail)["bpfexit_access_total"]
    assert {labels[2]: count for labels, count in found.items()} == {
        "0x0010": 3,
        "0x0020": 3,
        "other": 51,
    }


def test_vcpus_are_apart_where_asked_for_and_the_rest_is_other() -> None:
    rows = [Exits("CPUID", ns=(1000,), tid=200 + vcpu, vcpu=vcpu) for vcpu in range(3)]
    found = after(snapshot(*rows, guest_ns=1000), detail=Detail(vcpus=1))
    kvm = {
        labels: value
        for labels, value in found["bpfexit_vcpu_seconds_total"].items()
        if labels[2] == "kvm"
    }
    assert kvm == {
        ("alpha", "0", "kvm"): pytest.approx(1e-6),
        ("alpha", "other", "kvm"): pytest.approx(2e-6),
    }


def test_a_guest_starts_at_zero_in_the_reading_that_sees_it_first() -> None:
    known = accumulator()
    row = snapshot(Exits("CPUID", ns=(10,) * 3), guests=(ALPHA,))
    known.add(row, 0.0)
    first = exposed(known.families())
    assert first["bpfexit_exits_total"] == {("alpha", "CPUID"): 0}
    assert first["bpfexit_exit_duration_seconds"]["alpha", "cpuid"] == Buckets((0,) * 12, 0.0)
    assert first["bpfexit_guest_info"] == {
        ("alpha", "100", "uuid", "domain", "namespace", "pod", "qemu"): 1
    }
    known.add(row, 1.0)
    assert exposed(known.families())["bpfexit_exits_total"] == {("alpha", "CPUID"): 6}


def test_every_loss_is_a_series_from_the_start() -> None:
    lost = after(snapshot(lost=Lost(map_full=2)), snapshot(lost=Lost(map_full=1)))
    assert set(lost["bpfexit_lost_events_total"]) == {(name,) for name in LOSSES}
    assert lost["bpfexit_lost_events_total"]["map_full",] == 6  # each is there twice


def test_own_cost_adds_up() -> None:
    found = after(snapshot(cost=OwnCost(0.25, 1.0)))
    assert found["bpfexit_own_cpu_seconds_total"] == {(): 0.5}
    assert found["bpfexit_readings_total"] == {(): 2}
    assert "bpfexit_own_seconds_per_exit" not in found


def test_names_are_harmless() -> None:
    found = after(snapshot(Exits("CPUID", ns=(1,), vm='\x1b[2J"\n')))
    assert found["bpfexit_exits_total"] == {('\\x1b[2J"\\n', "CPUID"): 1}


def test_counts_beyond_32_bits_are_exact() -> None:
    row = snapshot(Exits("CPUID", ns=(1,)))
    row.rows.fields["count"] = 2**33 + 1
    assert after(row, row)["bpfexit_exits_total"]["alpha", "CPUID"] == 2**34 + 2


def test_findings_are_one_while_a_rule_reports_and_zero_after() -> None:
    known = accumulator()
    busy = snapshot(
        pio(0x608, ns=(80_000,) * 600, user_ns=(60_000,) * 600), guests=(ALPHA,), duration_s=60.0
    )
    busy.rows.fields[["count", "timed", "total_ns"]] = 600_000, 600_000, 48 * 10**9
    known.add(busy, 0.0)
    assert exposed(known.families())["bpfexit_finding"] == {("alpha", "pm-timer"): 1}
    idle = replace(busy, rows=busy.rows.part(0, 0))
    for now in range(1, 6):
        known.add(idle, 60.0 * now)
    assert exposed(known.families())["bpfexit_finding"] == {("alpha", "pm-timer"): 0}


@given(st.lists(snapshots(Isa.VMX), max_size=5))
def test_no_counter_shrinks_or_vanishes_and_all_exits_are_there(
    all_of_them: list[Snapshot],
) -> None:
    known = accumulator()
    before: Exposed = {}
    for now, each in enumerate([*all_of_them, snapshot()]):
        known.add(each, float(now))
        families = known.families()
        for family in families:
            _check_growth(family, before.get(family.metric.name, {}))
        before = exposed(families)
    exits = sum(each.exits - each.without_exit for each in all_of_them)
    assert sum(map(_number, before.get("bpfexit_exits_total", {}).values())) == exits


def _check_growth(family: Family, before: dict[tuple[str, ...], Value]) -> None:
    if family.metric.type is Type.GAUGE:
        return
    now = dict(family.samples)
    for labels, value in before.items():
        later = now[labels]
        if isinstance(value, Buckets):
            assert isinstance(later, Buckets)
            assert all(np.array(value.counts) <= np.array(later.counts))
        else:
            assert value <= _number(later)


def _number(value: Value) -> int | float:
    assert not isinstance(value, Buckets)
    return value


def test_what_a_guest_takes_is_added_up_and_its_memory_is_the_latest() -> None:
    def taken(cpu: int | None, size: int | None, *quotas: Quota) -> Snapshot:
        threads = (ThreadTimes(Role.VCPU, 2, cpu, cpu), ThreadTimes(Role.VHOST, 1, 5, 7))
        about = GuestUsage("alpha", 100, 1.0, threads, size, quotas=quotas)
        return replace(snapshot(Exits(no_latency=1)), guests=(ALPHA,), usage=HostUsage((about,)))

    quota = Quota("/a", 0.5, 2, 10**9)
    found = after(taken(10**9, 7), taken(None, 9, quota), taken(2 * 10**9, 11, quota))
    assert found["bpfexit_thread_cpu_seconds_total"] == {
        ("alpha", "vcpu"): 6,  # of twice the intervals
        ("alpha", "vhost"): pytest.approx(30e-9),
    }
    assert found["bpfexit_thread_wait_seconds_total"][("alpha", "vhost")] == pytest.approx(42e-9)
    assert found["bpfexit_throttled_seconds_total"] == {("alpha",): 4}
    assert found["bpfexit_memory_bytes"] == {("alpha", "resident"): 11}


def test_what_is_not_known_of_a_guest_has_no_series() -> None:
    unknown = GuestUsage("alpha", 100, 1.0, (ThreadTimes(Role.VCPU, 2, None, None),))
    of = replace(snapshot(Exits(no_latency=1)), usage=HostUsage((unknown,)))
    assert not {name for name in after(of, of) if "thread" in name or "memory" in name}
