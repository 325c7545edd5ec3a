"""What is on already is not advised; what the host and the map say changes the advice."""

from typing import Any

import pytest

from bpfexit.advice.finding import Advice, Confidence, Where
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from tests.unit.advice.cases import CASES, PVM, SVM, VMX, Case, mmio, msr, pio, seen
from tests.unit.advice.test_rules import findings, threshold

OFF = (("cpu", "qemu64"), ("machine", "pc"))


def advice(name: str, backend: str = SVM, case: Case | None = None, **about: Any) -> Advice:
    """Return what a rule says at its threshold."""
    count, ns = threshold(name)
    case = case or CASES[name]
    about.setdefault("regions", case.regions)
    found = findings(seen(case.exits(backend, count, ns), backend=backend, **about))
    return found[name].advice


def said(found: Advice, where: Where | None = None) -> str:
    return " ".join(each.text for each in found.changes if where in (None, each.where))


@pytest.mark.parametrize(
    "cpu",
    ["qemu64,hv-time=on", "host,hv_time", "host,+hv-time", "host,hv-passthrough=on"],
)
def test_hv_time_that_is_on_is_not_advised(cpu: str) -> None:
    found = advice("pm-timer", options=(("cpu", cpu),))
    assert "hv-time" not in said(found)
    assert "hypervclock" not in said(found)
    assert "useplatformclock" in said(found, Where.GUEST)
    assert found.title.startswith("hv-time is on")


@pytest.mark.parametrize(
    "cpu", ["qemu64", "qemu64,hv-stimer=off", "qemu64,kvm=on", "host,hv-vapic=on"]
)
def test_hv_time_that_is_off_is_advised_both_ways(cpu: str) -> None:
    found = advice("pm-timer", options=(("cpu", cpu),))
    assert "<timer name='hypervclock' present='yes'/>" in said(found, Where.LIBVIRT)
    assert "hv-time=on" in said(found, Where.QEMU)
    assert found.context == ("hv-time off",)


def test_without_a_command_line_it_is_advised_without_a_word_on_what_is_on() -> None:
    found = advice("pm-timer")
    assert "hv-time=on" in said(found)
    assert found.context == ()


def test_the_guests_own_map_makes_it_sure_and_says_where_the_timer_is() -> None:
    timer = Region(PIO, 0x1008, 0x100B, "acpi-tmr")
    found = advice("pm-timer", case=Case(pio(0x1008), user=True), regions=(timer,))
    assert found.confidence is Confidence.HIGH
    assert advice("pm-timer").confidence is Confidence.MEDIUM


def test_a_port_that_the_map_calls_something_else_is_no_timer() -> None:
    count, ns = threshold("pm-timer")
    other = Region(PIO, 0x608, 0x60B, "virtio-pci")
    found = findings(seen(CASES["pm-timer"].exits(SVM, count, ns), regions=(other,)))
    assert "pm-timer" not in found


def test_there_is_none_to_turn_on_without_hardware_virtualization() -> None:
    found = advice("local-apic", PVM)
    assert said(found, Where.HOST) == ""
    assert "kvm_pvm has no APIC virtualization" in found.rationale


@pytest.mark.parametrize(("cpu", "advised"), [("host,-x2apic", True), ("host", False)])
def test_x2apic_is_advised_only_where_the_command_line_keeps_it_off(
    cpu: str, advised: bool
) -> None:
    assert ("x2apic=on" in said(advice("local-apic", options=(("cpu", cpu),)))) is advised


def test_a_write_of_eoi_that_vmx_serves_without_an_address_counts() -> None:
    found = advice("local-apic", VMX, case=Case(reasons={VMX: "APIC_ACCESS"}))
    assert "hv-vapic=on" in said(found)


def test_timers_are_advised_with_all_they_need() -> None:
    found = advice("hpet", options=OFF)
    assert "hv-vpindex=on,hv-synic=on,hv-time=on,hv-stimer=on" in said(found, Where.QEMU)
    assert "hpet=off" in said(found, Where.QEMU)
    assert "<timer name='hpet' present='no'/>" in said(found, Where.LIBVIRT)


@pytest.mark.parametrize("gone", [("machine", "q35,hpet=off"), ("no-hpet", "")])
def test_an_hpet_that_is_off_is_not_turned_off(gone: tuple[str, str]) -> None:
    found = advice("hpet", options=(*OFF, gone) if gone[0] == "no-hpet" else (OFF[0], gone))
    assert "hpet" not in said(found)


@pytest.mark.parametrize("name", ["rtc", "pit"])
def test_synthetic_timers_that_are_on_are_not_advised(name: str) -> None:
    cpu = "host,hv-vpindex=on,hv-synic=on,hv-time=on,hv-stimer=on"
    assert "hv-" not in said(advice(name, options=(("cpu", cpu),)))
    assert "hv-stimer=on" in said(advice(name, options=OFF))


def test_spinlocks_and_ipi_that_are_on_are_not_advised() -> None:
    on = (("cpu", "host,hv-spinlocks=0x1fff,hv-vpindex=on,hv-ipi=on"),)
    assert "hv-spinlocks" not in said(advice("pause", options=on))
    assert "hv-spinlocks" in said(advice("pause", options=OFF))
    windows = (("cpu", "host,hv-time=on"),)
    assert "hv-ipi" not in said(advice("x2apic-msr", options=on))
    assert "hv-ipi" in said(advice("x2apic-msr", options=windows))
    assert "hv-ipi" not in said(advice("x2apic-msr", options=OFF))


def test_more_vcpus_than_cpus_make_overcommit_sure() -> None:
    count, ns = threshold("pause")
    rows = [CASES["pause"].exits(SVM, count, ns) for _ in range(3)]
    apart = [type(row)(**{**vars(row), "tid": 101 + at}) for at, row in enumerate(rows)]
    found = findings(seen(*apart, backend=SVM, cpus=2))["pause"].advice
    assert found.confidence is Confidence.HIGH
    assert found.context[0] == "this guest runs 3 vCPUs; the host has 2 CPUs"


def test_ioeventfd_that_is_off_is_the_cause_and_one_that_is_not_leaves_several() -> None:
    off = (("device", "virtio-blk-pci,drive=d0,ioeventfd=off"),)
    assert "ioeventfd=on" in said(advice("virtio-user-notify", options=off))
    assert not advice("virtio-user-notify", options=off).candidates
    on = (*OFF, ("device", "virtio-blk-pci,drive=d0"))
    assert "disable-modern" not in said(advice("virtio-user-notify", options=on))
    assert advice("virtio-user-notify", options=on).candidates


def test_notifies_are_expected_until_user_space_serves_too_many() -> None:
    count, ns = threshold("virtio-user-notify")
    case = CASES["virtio-notify"]
    few = findings(seen(case.exits(SVM, count - 1, ns), backend=SVM))
    assert set(few) == {"virtio-user-notify"}
    cheap = findings(seen(case.exits(SVM, count, 9_000), backend=SVM))
    assert set(cheap) == {"virtio-notify"}
    assert cheap["virtio-notify"].advice.expected
    many = findings(seen(case.exits(SVM, count, ns), backend=SVM))
    assert set(many) == {"virtio-user-notify"}
    kernel = Case(case.about)
    assert set(findings(seen(kernel.exits(SVM, count, ns)))) == {"virtio-notify"}


def test_a_legacy_notify_is_one_register_of_its_device() -> None:
    case = CASES["virtio-notify"]
    notify = Region(PIO, 0xC040, 0xC07F, "virtio-pci")
    assert set(findings(seen(case.exits(SVM, 5, 1000), regions=(notify,)))) == {"virtio-notify"}
    config = Region(PIO, 0xC000, 0xC07F, "virtio-pci")
    assert not findings(seen(case.exits(SVM, 5, 1000), regions=(config,)))


def test_a_modern_notify_is_known_by_the_map() -> None:
    notify = Region(MMIO, 0xFE003000, 0xFE003FFF, "virtio-pci-notify-virtio-blk")
    case = Case(mmio(0xFE003000, Access.WRITE), user=True, regions=(notify,))
    assert advice("virtio-user-notify", case=case).title
    assert set(findings(seen(case.exits(SVM, 5, 1000), regions=(notify,)))) == {"virtio-notify"}


def test_the_reference_counter_by_msr_is_told_from_timers() -> None:
    clock = advice("hyperv-msr", clocksource="hpet")
    timers = advice("hyperv-msr", case=Case(msr(0x400000B0)))
    assert "clocksource=tsc" in said(clock)
    assert clock.candidates == ()
    assert clock.context == ("the host's clocksource is hpet",)
    on_tsc = advice("hyperv-msr", clocksource="tsc")
    assert "clocksource=tsc" not in said(on_tsc)
    assert "hv-reenlightenment=on" in said(on_tsc)
    assert len(on_tsc.candidates) == 2
    assert "invtsc" not in said(timers)


def test_performance_counters_are_told_from_other_msrs() -> None:
    assert "nmi_watchdog=0" in said(advice("msr", case=Case(msr(0x186))))
    assert "nmi_watchdog=0" not in said(advice("msr"))


@pytest.mark.parametrize(
    ("polls", "title"),
    [("200000", "The host polls"), ("0", "Very frequent HLT"), ("", "Very frequent HLT")],
)
def test_a_host_that_polls_is_told_from_one_that_sleeps(polls: str, title: str) -> None:
    parameters = {"kvm.halt_poll_ns": polls} if polls else {}
    count, _ = threshold("halts")
    rows = CASES["halts"].exits(SVM, count, 100_000)
    found = findings(seen(rows, backend=SVM, parameters=parameters))["halts"].advice
    assert found.title.startswith(title)
    assert ("halt_poll_ns" in said(found)) is bool(polls)


def test_idle_times_longer_than_the_host_polls_are_no_polling() -> None:
    count, _ = threshold("halts")
    rows = CASES["halts"].exits(SVM, count, 300_000)
    parameters = {"kvm.halt_poll_ns": "200000"}
    found = findings(seen(rows, backend=SVM, parameters=parameters))["halts"].advice
    assert found.title.startswith("Very frequent HLT")
    assert "halt_poll_ns" not in said(found)


@pytest.mark.parametrize(("thp", "advised"), [("never", True), ("madvise", False), ("", False)])
def test_huge_pages_are_advised_where_they_are_off(thp: str, advised: bool) -> None:
    found = advice("memory-faults", hugepages=thp)
    assert ("transparent_hugepage" in said(found)) is advised


def test_a_log_of_dirty_pages_is_a_migration() -> None:
    count, ns = threshold("memory-faults")
    log = Case(reasons={VMX: "PML_FULL"}).exits(VMX, 10, ns)
    faults = CASES["memory-faults"].exits(VMX, count, ns)
    assert "migration" in findings(seen(faults, log))["memory-faults"].advice.title
    one = Case(reasons={VMX: "PML_FULL"}).exits(VMX, 1, ns)
    assert "migration" not in findings(seen(faults, one))["memory-faults"].advice.title


def test_mmio_is_no_memory_fault() -> None:
    count, ns = threshold("memory-faults")
    found = findings(seen(CASES["user-device"].exits(SVM, count, ns), backend=SVM))
    assert set(found) == {"user-device"}


def test_a_device_that_the_map_names_needs_no_map() -> None:
    region = Region(MMIO, 0xD0000000, 0xD0000FFF, "edu-mmio")
    assert "--qmp" in said(advice("user-device"))
    assert "--qmp" not in said(advice("user-device", regions=(region,)))


def test_what_one_rule_knows_is_not_said_again_by_another() -> None:
    count, ns = threshold("user-device")
    found = findings(seen(CASES["rtc"].exits(SVM, count, ns), backend=SVM))
    assert "user-device" not in found
