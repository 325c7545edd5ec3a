"""Field cases of time that a vCPU does not get: locks, timers, waiting; and their twins."""

from dataclasses import replace

import pytest

from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.model.rows import Rows
from tests.unit.advice.cases import CASES, VMX, msr, seen
from tests.unit.advice.recordings import causes, diagnosed, fixes, found, recording, rules, twin
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
        {"settings": {"split_lock_detect": "ratelimit:10"}},
        {"flags": ("vmx", "bus_lock_detect")},
    ],
)
def test_where_the_host_does_not_mitigate_split_locks_the_thread_waits(
    facts: dict[str, object],
) -> None:
    assert rules(twin(recording("01"), facts=facts)) == ["slow-exits"]


def test_linux_sleeps_for_split_locks_since_5_19() -> None:
    assert rules(twin(recording("01"), kernel="5.15.0")) == ["slow-exits"]
    assert rules(twin(recording("01"), kernel="5.19.0")) == ["split-lock"]
    changes = found(recording("01"))["split-lock"].advice.changes
    assert "Linux 6.2" in changes[0].since


def test_bus_locks_exit_to_user_space_which_limits_them() -> None:
    locks = Exits("BUS_LOCK", ns=(10_000_000,) * 40, user_ns=(9_990_000,) * 40)
    options = (("machine", "q35,bus-lock-ratelimit=100"),)
    finding = found(seen(locks, options=options))["bus-lock"]
    assert "without bus-lock-ratelimit" in fixes(finding)
    assert finding.advice.context[0] == "-machine bus-lock-ratelimit=100"
    assert "split_lock" not in fixes(finding)


def test_mainline_kvm_does_not_intercept_rdtsc_for_another_frequency() -> None:
    finding = found(seen(CASES["rdtsc"].exits(VMX, 10_000, 2_000)))["rdtsc"]
    assert "frequency" not in causes(finding) + fixes(finding)
    assert "patched" in causes(finding)
    assert "inner hypervisor" in causes(finding)


def test_timers_that_expire_on_the_guests_own_cpu_are_posted_where_apicv_can() -> None:
    case = recording("13")
    timers = found(case)["timer-interrupts"]
    assert timers.share == pytest.approx(0.0165, abs=0.0005)
    assert "pi_inject_timer" not in fixes(timers)
    parameters = {"kvm_intel.enable_apicv": "Y", "kvm.pi_inject_timer": "N"}
    other = found(twin(case, facts={"parameters": parameters}))["timer-interrupts"]
    assert "pi_inject_timer" not in fixes(other)
    without = twin(case, rename={"MSR_WRITE": "RDPMC"}, change=_forget_msrs)
    assert "timer-interrupts" not in rules(without)


def test_a_timer_is_posted_to_a_guest_whose_halts_do_not_exit() -> None:
    timers = Exits("MSR_WRITE", ns=(2_000,) * 10_000, **msr(0x6E0))
    hits = Exits("EXTERNAL_INTERRUPT", ns=(2_000,) * 10_000)

    def advice(inject: str, *options: tuple[str, str]) -> Advice:
        parameters = {"kvm_intel.enable_apicv": "Y", "kvm.pi_inject_timer": inject}
        case = seen(timers, hits, options=(("cpu", "host"), *options), parameters=parameters)
        return found(case)["timer-interrupts"].advice

    def texts(of: Advice) -> str:
        return "\n".join(change.text for change in of.changes)

    off = advice("N")
    assert "echo 1 > /sys/module/kvm/parameters/pi_inject_timer" in texts(off)
    assert "cpu-pm=on" in texts(off)
    assert "posted to the guest" in off.expect
    half = advice("Y")
    assert "pi_inject_timer" not in texts(half)
    assert "cpu-pm=on" in texts(half)
    whole = advice("Y", ("overcommit", "cpu-pm=on"))
    assert "cpu-pm" not in texts(whole)
    assert "posted to the guest" not in whole.expect


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
    assert "not measured" in finding.advice.rationale
    assert "has to wait for a CPU" not in finding.advice.title
    free = found(twin(case, guest={"cpu_quota": 0.0}))["slow-exits"]
    assert "CPU quota" not in causes(free)
    limited = found(twin(case, guest={"cpu_quota": 0.5}))["slow-exits"]
    assert "has to wait for a CPU" in limited.advice.title
    assert "cpu.max" in fixes(limited)


def test_exits_that_wait_for_a_cpu_are_told_from_those_that_sleep() -> None:
    slow = Exits("EXTERNAL_INTERRUPT", ns=(50_000_000,) * 10, wait_ns=450_000_000)
    few = Exits("EXTERNAL_INTERRUPT", ns=(40_000_000,), wait_ns=36_000_000)
    starved = found(seen(few))["slow-exits"].advice
    assert starved.title.endswith("has to wait for a CPU")
    assert starved.confidence is Confidence.HIGH
    assert "90.0% of the time of these exits was waiting for a CPU" in starved.rationale
    assert not any("in KVM" in each.cause for each in starved.candidates)
    (whole,) = found(seen(slow)).values()
    assert whole.rule == "cpu-starved"
    assert (whole.share, whole.cost_of.value) == (0.45, "waiting")
    assert not any("in KVM" in each.cause for each in whole.advice.candidates)
    asleep = found(seen(replace(slow, wait_ns=5_000_000)))["slow-exits"].advice
    assert asleep.title.endswith("sleeps in KVM")
    assert "1.0% of the time" in asleep.rationale
    assert not any("quota" in each.cause for each in asleep.candidates)


def test_faults_that_wait_for_a_cpu_are_told_from_those_that_fetch() -> None:
    slow = Exits("EPT_VIOLATION", ns=(1_000_000,) * 400, wait_ns=380_000_000)
    few = Exits("EPT_VIOLATION", ns=(1_000_000,) * 40, wait_ns=38_000_000)
    starved = found(seen(few))["memory-faults"].advice
    assert starved.title.endswith("wait for a CPU")
    assert rules(seen(slow)) == ["cpu-starved"]
    fetched = found(seen(replace(slow, wait_ns=1)))["memory-faults"].advice
    assert fetched.title.endswith("have to be fetched")
    assert not any("waits for a CPU" in each.cause for each in fetched.candidates)


def test_short_host_interrupts_are_no_waiting() -> None:
    many = Exits("EXTERNAL_INTERRUPT", ns=(50_000,) * 10_000)
    assert rules(seen(many)) == ["interrupts"]
    deciding = [each.decided_by for each in found(seen(many))["interrupts"].advice.candidates]
    assert [text.partition(" ")[0] for text in deciding] == ["LOC", "RES,", "their"]
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


def test_counters_written_in_full_width_are_counters() -> None:
    case = seen(Exits("MSR_WRITE", ns=(2_000,) * 20_000, **msr(0x4C1)))
    assert "performance counters" in found(case)["msr"].advice.title


def test_performance_counters_of_zen_4() -> None:
    case = recording("31")
    (finding,) = found(case).values()
    assert "performance counters" in finding.advice.title
    assert finding.share == pytest.approx(0.027, abs=0.0005)
    assert "pmu=off" not in fixes(finding)
    assert "modprobe kvm enable_pmu=N && modprobe kvm_amd" in fixes(finding)
    intel = twin(case, backend="kvm_intel")
    assert "pmu=off" in fixes(found(intel)["msr"])


def test_the_guest_of_the_dearest_finding_comes_first_and_no_exit_is_in_two() -> None:
    for name in ("02-hv-vapic-with-apicv.1", "16", "35", "04"):
        guest = diagnosed(recording(name))
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


def test_a_known_device_that_user_space_serves_slowly_says_so() -> None:
    slow = CASES["pm-timer"].exits(VMX, 100, 900_000)
    assert "user space takes 900µs each" in " ".join(found(seen(slow))["pm-timer"].advice.context)
    quick = CASES["pm-timer"].exits(VMX, 9_000, 10_000)
    assert "user space takes" not in " ".join(found(seen(quick))["pm-timer"].advice.context)
