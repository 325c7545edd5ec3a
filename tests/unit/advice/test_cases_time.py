"""Field cases of time that a vCPU does not get: locks, faults, waiting; and their twins."""

import pytest

from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.finding import Confidence
from bpfexit.model.rows import Rows
from tests.unit.advice.cases import CASES, VMX, seen
from tests.unit.advice.recordings import causes, fixes, found, judged, recording, rules, twin
from tests.unit.builders import Exits

KNOWN = {
    "settings": {"kernel.split_lock_mitigate": "1"},
    "flags": ("bus_lock_detect", "split_lock_detect"),
}


def test_split_locks_take_a_vcpus_time_in_sleeps_of_10_ms() -> None:
    case = recording("01")
    (finding,) = found(case).values()
    assert finding.rule == "split-lock"
    assert finding.share == pytest.approx(0.402, abs=0.0005)
    assert "sysctl -w kernel.split_lock_mitigate=0" in fixes(finding)
    assert "split_lock_detect=off" in fixes(finding)
    assert any("/etc/sysctl.d" in change.keep for change in finding.advice.changes)
    assert finding.advice.confidence is Confidence.MEDIUM
    assert "another exception" in causes(finding)
    known = found(twin(case, facts=KNOWN))["split-lock"]
    assert (known.advice.confidence, known.advice.candidates) == (Confidence.HIGH, ())


@pytest.mark.parametrize(
    "facts",
    [
        {"settings": {"kernel.split_lock_mitigate": "0"}},
        {"settings": {"split_lock_detect": "off"}},
        {"flags": ("vmx",)},
    ],
)
def test_where_the_host_does_not_mitigate_split_locks_the_thread_waits(
    facts: dict[str, object],
) -> None:
    assert rules(twin(recording("01"), facts=facts)) == ["slow-exits"]


def test_split_huge_pages_are_named_where_the_mitigation_is_on() -> None:
    case = recording("08")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.012, abs=0.0005)
    assert "nx_huge_pages" in finding.advice.title
    assert "nx_huge_pages_recovery_ratio" in fixes(finding)
    assert "/etc/modprobe.d" in finding.advice.changes[0].keep
    for parameters in ({"kvm.nx_huge_pages": "N"}, {}):
        (other,) = found(twin(case, facts={"parameters": parameters})).values()
        assert "nx_huge_pages" not in other.advice.title + fixes(other) + causes(other)


def test_numa_balancing_is_a_candidate_where_it_is_on() -> None:
    case = recording("21-one-pml-full")
    on = twin(case, facts={"settings": {"kernel.numa_balancing": "1"}})
    off = twin(case, facts={"settings": {"kernel.numa_balancing": "0"}})
    assert "NUMA balancing unmaps" in causes(found(on)["memory-faults"])
    assert "NUMA balancing unmaps" not in causes(found(off)["memory-faults"])


def test_one_full_log_of_dirty_pages_is_not_a_migration_and_many_are() -> None:
    case = recording("21-one-pml-full")
    (finding,) = found(case).values()
    assert finding.advice.title == "The guest's memory is being faulted in"
    assert "madvise > /sys/kernel/mm" in fixes(finding)
    assert "only 1 PML_FULL" in " ".join(finding.advice.context)

    def many(rows: Rows) -> None:
        log = rows.fields["count"] == 1
        rows.fields["count"][log] = rows.fields["timed"][log] = 400

    assert "migration" in found(twin(case, change=many))["memory-faults"].advice.title


def test_quick_faults_on_amd_may_be_write_protection() -> None:
    case = recording("21-one-pml-full.amd")
    (finding,) = found(case).values()
    assert "write-protected" in finding.advice.title
    assert causes(finding).startswith("write-protection: a migration")
    assert "first time" in causes(finding)
    on_intel = twin(case, backend="kvm_intel")
    assert "write-protected" not in found(on_intel)["memory-faults"].advice.title


def test_faults_of_milliseconds_fetch_pages() -> None:
    case = recording("32")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.75, abs=0.001)
    assert "have to be fetched" in finding.advice.title
    assert "swapped" in causes(finding)
    assert "userfaultfd" in causes(finding)
    none = twin(case, facts={"swap_bytes": 0, "swap_used_bytes": 0})
    assert "swap" not in causes(found(none)["memory-faults"])
    used = twin(case, facts={"swap_bytes": 8 << 30, "swap_used_bytes": 2 << 30})
    assert "2.00GiB used" in " ".join(found(used)["memory-faults"].advice.context)

    def quick(rows: Rows) -> None:
        rows.fields["count"] *= 250
        rows.fields["timed"] *= 250

    assert "fetched" not in found(twin(case, change=quick))["memory-faults"].advice.title


def test_a_crosvm_guest_gets_no_option_of_another_vmm() -> None:
    finding = found(recording("13"))["memory-faults"]
    assert finding.share == pytest.approx(0.0723, abs=0.0005)
    places = {change.where.value for change in finding.advice.changes}
    assert places <= {"host", "guest"}
    assert not any("qemu" in page or "libvirt" in page for page in finding.references)


def test_timers_that_expire_on_the_guests_own_cpu_are_posted_where_apicv_can() -> None:
    case = recording("13")
    timers = found(case)["timer-interrupts"]
    assert timers.share == pytest.approx(0.0165, abs=0.0005)
    assert "pi_inject_timer" not in fixes(timers)
    parameters = {"kvm_intel.enable_apicv": "Y", "kvm.pi_inject_timer": "N"}
    can = found(twin(case, facts={"parameters": parameters}))["timer-interrupts"]
    assert "echo 1 > /sys/module/kvm/parameters/pi_inject_timer" in fixes(can)
    does = twin(case, facts={"parameters": {**parameters, "kvm.pi_inject_timer": "Y"}})
    assert "pi_inject_timer" not in fixes(found(does)["timer-interrupts"])
    without = twin(case, rename={"MSR_WRITE": "RDPMC"}, change=_forget_msrs)
    assert "timer-interrupts" not in rules(without)


def _forget_msrs(rows: Rows) -> None:
    rows.fields["kind"] = 0


def test_a_long_tail_in_the_kernel_is_waiting_and_a_quota_only_where_it_is_known() -> None:
    case = recording("18")
    (finding,) = found(case).values()
    assert finding.rule == "slow-exits"
    assert finding.share == pytest.approx(0.5, abs=0.001)
    assert "CPU quota" in causes(finding)
    assert "other threads" in causes(finding)
    assert "schedstat" in finding.advice.candidates[1].decided_by
    assert "not measured" in finding.advice.because
    assert "has to wait for a CPU" not in finding.advice.title
    free = found(twin(case, guest={"cpu_quota": 0.0}))["slow-exits"]
    assert "CPU quota" not in causes(free)
    limited = found(twin(case, guest={"cpu_quota": 0.5}))["slow-exits"]
    assert "has to wait for a CPU" in limited.advice.title
    assert "cpu.max" in fixes(limited)


def test_short_host_interrupts_are_no_waiting() -> None:
    many = Exits("EXTERNAL_INTERRUPT", ns=(50_000,) * 10_000)
    assert rules(seen(many)) == ["interrupts"]
    few = Exits("EXTERNAL_INTERRUPT", ns=(50_000_000,) * 10)
    assert rules(seen(few)) == ["slow-exits"]


def test_spinning_on_dedicated_cpus_is_no_overcommit() -> None:
    case = recording("26")
    (finding,) = found(case).values()
    assert finding.share == pytest.approx(0.0161, abs=0.0005)
    assert "ple_gap=0" in fixes(finding)
    assert "cpu-pm=on" in fixes(finding)
    assert "kvm_intel.ple_window is 4096 on this host" in finding.advice.context
    assert "fewer vCPUs" not in fixes(finding)
    few = found(twin(case, facts={"cpus": 2}))["pause"]
    assert few.advice.confidence is Confidence.HIGH
    assert "fewer vCPUs" in fixes(few)
    assert "ple_gap" not in fixes(few)


def test_a_hypervisor_inside_the_guest() -> None:
    case = recording("16")
    (finding,) = found(case).values()
    assert finding.rule == "nested"
    assert finding.share == pytest.approx(0.1326, abs=0.0005)
    assert "VMREAD" in finding.advice.cause
    assert "hv-evmcs=on" in fixes(finding)
    linux = twin(case, options=(("cpu", "host"),))
    assert "hv-evmcs" not in fixes(found(linux)["nested"])


def test_performance_counters_of_zen_4() -> None:
    case = recording("31")
    (finding,) = found(case).values()
    assert "performance counters" in finding.advice.title
    assert finding.share == pytest.approx(0.027, abs=0.0005)
    assert "pmu=off" not in fixes(finding)
    intel = twin(case, backend="kvm_intel")
    assert "pmu=off" in fixes(found(intel)["msr"])


def test_the_guest_of_the_dearest_finding_comes_first_and_no_exit_is_in_two() -> None:
    for name in ("02-hv-vapic-with-apicv.1", "16", "35", "04"):
        guest = judged(recording(name))
        counted = sum(finding.exits.count for finding in (*guest.findings, *guest.expected))
        assert counted <= guest.exits
        assert diagnose(recording(name)).guests[0].cost == guest.cost


@pytest.mark.parametrize(
    ("name", "parameter"), [("vmx-EXCEPTION_NMI", "kvm_intel.ept"), ("svm-PF", "kvm_amd.npt")]
)
def test_page_faults_that_exit_are_shadow_paging_where_nested_paging_is_off(
    name: str, parameter: str
) -> None:
    case = recording(f"22-reasons-without-rule.{name}")
    off = twin(case, facts={"parameters": {parameter: "N"}})
    assert rules(off) == ["shadow-paging"]
    assert f"{parameter.partition('.')[2]}=1" in fixes(found(off)["shadow-paging"])
    for parameters in ({parameter: "Y"}, {}):
        assert rules(twin(case, facts={"parameters": parameters})) == ["unexplained"]


def test_faults_of_hundreds_of_microseconds_are_a_finding_at_any_rate() -> None:
    case = seen(Exits("EPT_VIOLATION", ns=(444_000,) * 900), swap_bytes=1 << 30)
    finding = found(case)["memory-faults"]
    assert finding.share == pytest.approx(0.4, abs=0.001)
    assert "swap" in causes(finding)
    quick = seen(Exits("EPT_VIOLATION", ns=(4_440,) * 90_000), swap_bytes=1 << 30)
    assert "swap" not in causes(found(quick)["memory-faults"])


def test_a_known_device_that_user_space_serves_slowly_says_so() -> None:
    slow = CASES["pm-timer"].exits(VMX, 100, 900_000)
    assert "user space takes 900µs each" in " ".join(found(seen(slow))["pm-timer"].advice.context)
    quick = CASES["pm-timer"].exits(VMX, 9_000, 10_000)
    assert "user space takes" not in " ".join(found(seen(quick))["pm-timer"].advice.context)
