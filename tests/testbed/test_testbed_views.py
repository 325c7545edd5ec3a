"""KVM's counters and the opt-in views on a real `kvm_amd`: prime numbers of each kind, exact."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.counting import events_by_source, tids
from tests.ftrace import Event
from tests.ftrace import recorded as traced
from tests.testbed.comparing import of
from tests.testbed.conftest import Findings
from tests.testbed.exits import NESTED
from tests.testbed.kernels import Kernel
from tests.testbed.viewed import PAGES, USER_MMIO, USER_PORT, WORK

READ_DR7 = 0x27


@pytest.fixture(scope="session")
def events(findings: Findings) -> Any:
    return findings("events")


def test_tracepoints_and_counters_of_kvm_agree_with_the_guest(events: Any) -> None:
    result = of(events)
    done = result.done()
    seen = events_by_source(result)
    accesses = {
        kind: sum(n for place, n in done.items() if place.kind == kind) for kind in ("pio", "msr")
    }
    ends = len(result.guest["vcpus"])  # each vCPU ends by a write to a port
    assert seen["tracepoint", "kvm_pio"] == accesses["pio"] + ends
    assert seen["tracepoint", "kvm_msr"] == accesses["msr"]
    cpuids = sum(each["count"] for each in result.operations() if each["op"] == "cpuid")
    assert seen["tracepoint", "kvm_cpuid"] == cpuids
    halts = sum(each["count"] for each in result.operations() if each["op"] == "hlt")
    assert seen["counter", "io_exits"] == accesses["pio"] + ends
    assert seen["counter", "halt_exits"] == halts
    # Two programs see exits and entries; KVM counts an exit once it has left the guest.
    assert seen["counter", "exits"] == seen["tracepoint", "kvm_exit"]
    assert sum(each["lost"] for each in result.snapshots) == 0


def test_gauges_have_a_value_and_no_count(events: Any, kernel: Kernel) -> None:
    rows = [row for each in events["snapshots"] for row in each["events"]]
    gauges = [row for row in rows if row["source"] == "gauge"]
    shown = {(row["event"], row["count"], row["per_s"]) for row in gauges}
    # Linux 5.10 counts large pages alone, of which this guest has none.
    assert shown == (set() if kernel.suite == "bullseye" else {("pages_4k", None, None)})
    assert all(row["total"] > 0 for row in gauges)


@pytest.fixture(scope="session")
def views(findings: Findings) -> Any:
    return findings("views")


def targets(found: Any) -> Counter[tuple[str, str | None, int]]:
    """Count exits by kind, access and target."""
    total: Counter[tuple[str, str | None, int]] = Counter()
    for row in of(found).rows:
        if row["kind"]:
            total[row["kind"], row["access"], row["address"]] += row["count"]
    return total


def events_of(found: Any) -> list[Event]:
    """Return what ftrace saw of the guest's threads."""
    threads = set(tids(found["guest"]))
    return [event for event in traced(Path(found["trace"])) if event.tid in threads]


def numbers(events: Iterable[Event], name: str, field: str) -> Counter[int]:
    return Counter(event.fields[field] for event in events if event.name == name)


def times(*names: str) -> int:
    return sum(WORK[name][0] for name in names)


def test_each_exit_says_what_it_was_for(views: Any) -> None:
    seen = targets(views["targets"])
    done = {
        ("cpuid", None, 0): times("cpuid 0"),
        ("cpuid", None, 0x40000000): times("cpuid kvm"),
        ("cpuid", None, 1): times("dr7 read"),
        ("hypercall", None, 1): times("hypercall 1"),
        ("hypercall", None, 5): times("hypercall 5"),
        ("apic", "read", 0x30): times("apic read"),
        ("apic", "write", 0xE0): times("apic write"),
        ("userspace", None, 6): times("user mmio"),  # KVM_EXIT_MMIO
    }
    assert {key: seen[key] for key in done} == done
    # A timer that the guest has started again may fire once more: ftrace knows.
    assert seen["injected", None, 0x40] >= times("hlt")
    # KVM_EXIT_IO; the last write ends the guest, and its exit has no entry.
    assert seen["userspace", None, 2] == times("user port")
    # They are under what they were for, and only there.
    assert not {key for key in seen if key[2] in (USER_PORT, USER_MMIO) or key[0] == "msr"}


def test_it_is_what_ftrace_saw(views: Any) -> None:
    """Of CR4 that is nothing: without decode assists, KVM emulates the read and tells no more."""
    seen, events = targets(views["targets"]), events_of(views["targets"])
    for kind, event, field in (
        ("cpuid", "kvm_cpuid", "function"),
        ("hypercall", "kvm_hypercall", "nr"),
        ("apic", "kvm_apic", "reg"),
        ("cr", "kvm_cr", "cr"),
    ):
        ours: Counter[int] = Counter()
        for (of_kind, _, target), count in seen.items():
            if of_kind == kind:
                ours[target] += count
        assert ours == numbers(events, event, field), kind
    injected = {target: n for (kind, _, target), n in seen.items() if kind == "injected"}
    vectors = Counter(
        event.fields.get("vector", event.fields.get("irq"))
        for event in events
        if event.name == "kvm_inj_virq"
    )
    # An entry that KVM cancels injects its interrupt again, within the same exit.
    again = of(views["targets"]).lost["extra_accesses"]
    assert injected.keys() == vectors.keys()
    assert sum(injected.values()) + again == vectors.total()


def test_faults_are_those_that_no_access_explains(views: Any) -> None:
    """What ftrace saw, less the faults for MMIO: those exits have a target of their own."""
    result, events = views["targets"], events_of(views["targets"])
    faults = {key: n for key, n in targets(result).items() if key[0] == "fault"}
    code = max(faults, key=lambda key: faults[key])
    assert faults[code] >= PAGES
    memory = [
        event
        for event in events
        if event.name == "kvm_page_fault" and event.fields["fault_address"] < USER_MMIO
    ]
    assert sum(faults.values()) == len(memory)
    assert of(result).lost.keys() <= {"extra_accesses"}


def test_records_tell_exceptions_and_debug_registers(views: Any) -> None:
    seen = targets(views["record"])
    assert seen["exception", None, 6] == times("ud2")
    events = [event for event in events_of(views["record"]) if event.name == "kvm_exit"]
    # An interrupt of the host between an exit and its instruction makes it exit once more.
    reads = sum(event.fields["exit_reason"] == READ_DR7 for event in events)
    assert seen["dr", "read", 7] == reads >= times("dr7 read")
    valid = Counter(
        event.fields["intr_info"] & 0x7FF
        for event in events
        if event.fields["intr_info"] >> 31 and not 0x40 <= event.fields["exit_reason"] <= 0x5F
    )
    ours = {target: n for (kind, _, target), n in seen.items() if kind == "delivered"}
    assert ours == valid


def test_each_rip_is_that_of_ftrace(views: Any) -> None:
    result = views["rips"]
    events = [event for event in events_of(result) if event.name == "kvm_exit"]
    truth = Counter(event.fields["guest_rip"] for event in events)
    truth[events[-1].fields["guest_rip"]] -= 1  # it ends the guest: no entry follows
    ours = {target: n for (kind, _, target), n in targets(result).items() if kind == "rip"}
    assert ours == +truth
    assert of(result).lost == {}


def test_exits_of_a_nested_guest_are_told_by_their_code(views: Any) -> None:
    served, reflected = NESTED
    seen = targets(views["nested"])
    assert seen["nested", None, 0x7B] == served + reflected  # io
    assert seen["nested", None, 0x72] == served  # cpuid
    assert {key[1:] for key in seen if key[0] == "gpa"} <= {("read", 0), ("write", 0)}


def test_a_view_whose_event_this_kernel_lacks_is_named(views: Any) -> None:
    if not views["lacking"]:
        assert views["refused"] == ""
        return
    code, said = views["refused"].split(" ", 1)
    assert code == "1"
    assert "--by xen_hypercall: this kernel has no event kvm:kvm_xen_hypercall" in said
