"""Field cases of APIC virtualization, timers and halts, and their twins of the opposite cause."""

import pytest

from bpfexit.advice.finding import Confidence
from tests.unit.advice.recordings import causes, diagnosed, fixes, found, recording, rules, twin

PIT = "kvm-pit.lost_tick_policy=discard"
SYNIC = (("cpu", "host,hv-vapic=on,hv-vpindex=on,hv-synic=on,hv-time=on,hv-stimer=on"),)


def test_synic_without_hv_avic_inhibits_apicv() -> None:
    case = recording("02-hv-vapic-with-apicv.1")
    (finding,) = found(case).values()
    assert finding.rule == "apic-inhibited"
    assert finding.share == pytest.approx(0.0743, abs=0.0005)
    assert "-cpu …,hv-avic=on" in fixes(finding)
    assert [change.since for change in finding.advice.changes] == [
        "QEMU 6.2, libvirt 8.10, Linux 5.15",
        "QEMU 6.2, Linux 5.15",
    ]


def test_where_apicv_is_not_there_nothing_inhibits_it() -> None:
    case = twin(recording("02-hv-vapic-with-apicv.1"), facts={"parameters": {}})
    assert "apic-inhibited" not in rules(case)
    assert "hv-avic" not in fixes(found(case).values())


def test_hv_vapic_keeps_the_guest_from_an_apic_that_is_virtualized() -> None:
    case = recording("02-hv-vapic-with-apicv.2")
    (finding,) = found(case).values()
    assert finding.rule == "hyperv-msr"
    assert "hv-vapic=off" in fixes(finding)
    assert finding.share == pytest.approx(0.0582, abs=0.0005)
    cpu = "host,hv-vapic=on,hv-synic=on,hv-avic=on,hv-evmcs=on"
    needed = found(twin(case, options=(("cpu", cpu),)))["hyperv-msr"]
    assert "hv-vapic=off" not in fixes(needed)  # hv-evmcs requires it
    off = twin(case, facts={"parameters": {"kvm_intel.enable_apicv": "N"}})
    assert "hv-vapic=off" not in fixes(found(off).values())


def test_the_hpet_comes_before_exits_of_apicv_itself() -> None:
    case = recording("02-hv-vapic-with-apicv.3")
    assert rules(case) == ["hpet", "apic-acceleration"]
    apic = found(case)["apic-acceleration"]
    assert "xAPIC" in apic.advice.title
    assert "x2APIC" in apic.advice.title
    assert "after the access" in apic.advice.rationale
    assert "hpet=off" in fixes(found(case)["hpet"])
    assert "hv-avic=on" in fixes(found(case)["hpet"])


def test_timers_are_advised_with_what_keeps_avic_on() -> None:
    case = recording("03-rtc-storm-avic-on")
    finding = found(case)["rtc"]
    assert finding.share == pytest.approx(0.114, abs=0.001)
    assert "hv-vpindex=on,hv-synic=on,hv-stimer=on,hv-avic=on" in fixes(finding)
    assert any("Linux 5.8.0" in text for text in finding.advice.context)
    off = twin(case, facts={"parameters": {"kvm_amd.avic": "0"}})
    assert "hv-stimer=on" in fixes(found(off)["rtc"])
    assert "hv-avic" not in fixes(found(off)["rtc"])


def test_after_the_change_nothing_stands_out() -> None:
    after = diagnosed(recording("03-rtc-storm-avic-on.after"))
    assert after.findings == ()
    assert after.unexplained.share < 0.01


def test_a_pm_timer_that_is_read_in_spite_of_hv_time() -> None:
    case = recording("04")
    assert rules(case) == ["pm-timer", "apic-inhibited"]
    timer = found(case)["pm-timer"]
    assert "useplatformclock" in fixes(timer)
    assert "hv-time" not in fixes(timer)
    assert "hv-avic=on" in fixes(found(case)["apic-inhibited"])
    without = twin(case, options=(("cpu", "host"),))
    assert "hv-time=on" in fixes(found(without)["pm-timer"])
    assert "apic-inhibited" not in rules(without)


@pytest.mark.parametrize(("name", "share"), [("05", 0.245), ("10", 0.0522)])
def test_a_pm_timer_without_hv_time(name: str, share: float) -> None:
    timer = found(recording(name))["pm-timer"]
    assert next(iter(found(recording(name)))) == "pm-timer"
    assert timer.share == pytest.approx(share, abs=0.0005)
    assert "hv-time=on" in fixes(timer)
    on = twin(recording(name), options=(("cpu", "host,hv-time=on"),))
    assert "hv-time" not in fixes(found(on)["pm-timer"])


def test_apicv_that_is_off_by_default_of_the_cpu_is_not_turned_on() -> None:
    for name in ("05", "29"):
        assert "enable_apicv=1" not in fixes(found(recording(name)).values())
    finding = found(recording("29"))["local-apic"]
    assert "default is Y" in finding.advice.rationale
    nothing = found(recording("05"))["local-apic"].advice
    assert (nothing.changes, "hv-vapic" in nothing.expect) == ((), False)
    assert "hv-vapic=on" in fixes(finding)
    shows = twin(recording("29"), facts={"flags": ("vmx:apicv",)})
    assert "enable_apicv=1" in fixes(found(shows)["local-apic"])
    assert "hv-vapic" not in fixes(found(shows)["local-apic"])


def test_a_host_that_is_a_guest_itself_says_so() -> None:
    nested = twin(recording("29"), facts={"flags": ("hypervisor", "vmx")})
    context = " ".join(found(nested)["local-apic"].advice.context)
    assert "this host is a guest itself" in context
    assert "the host's CPU has no APICv" in context
    bare = twin(recording("29"), facts={"flags": ("vmx",)})
    assert "guest itself" not in " ".join(found(bare)["local-apic"].advice.context)


def test_hv_apicv_is_another_name_of_hv_avic() -> None:
    case = twin(
        recording("02-hv-vapic-with-apicv.1"), options=((SYNIC[0][0], SYNIC[0][1] + ",hv_apicv"),)
    )
    assert "hv-avic" not in fixes(found(case).values())


def test_what_inhibits_avic_is_named() -> None:
    case = recording("14")
    (finding,) = found(case).values()
    assert finding.rule == "apic-inhibited"
    assert "-global kvm-pit.lost_tick_policy=discard" in fixes(finding)
    assert finding.advice.candidates == ()
    assert any("PIT injects lost ticks" in text for text in finding.advice.context)
    options = (("cpu", "host,-svm,x2apic=off"), ("global", "kvm-pit.lost_tick_policy=discard"))
    ended = twin(case, options=options)
    assert "apic-inhibited" not in rules(ended)
    assert "lost_tick_policy" not in fixes(found(ended).values())
    assert "svm=off" not in fixes(found(ended).values())
    synic = twin(case, options=(*options[1:], ("cpu", "host,-svm,x2apic=off,hv-synic=on")))
    assert fixes(found(synic)["apic-inhibited"]).count("avic") == 2  # libvirt and QEMU


def test_nesting_and_x2apic_inhibit_avic_on_older_kernels_alone() -> None:
    case = recording("14")
    for option in ("svm=off", "x2apic=off"):
        assert option not in fixes(found(case).values())
    (older,) = found(twin(case, kernel="5.15.0")).values()
    assert "svm=off" in fixes(older)
    assert "no x2AVIC" in causes(older)
    assert "kvm_apicv_inhibit_changed" in older.advice.candidates[0].decided_by
    (runs,) = found(twin(case, rename={"vintr": "vmrun"})).values()
    assert "runs guests of its own" in causes(runs)
    assert "x2apic=off" not in fixes(runs)


def test_avic_does_not_work_with_encrypted_memory() -> None:
    case = recording("14")
    options = (("object", "sev-guest,id=sev0"), ("cpu", "host"), ("global", PIT))
    (finding,) = found(twin(case, options=options)).values()
    assert any("SEV" in text for text in finding.advice.context)
    assert fixes(finding) == ""


def test_avic_is_not_turned_on_where_something_inhibits_it_for_good() -> None:
    case = recording("25")
    firecracker = twin(case, guest={"vmm": "firecracker"}, options=())
    finding = found(firecracker)["local-apic"]
    assert "avic=1" not in fixes(finding)
    assert "Firecracker's PIT" in finding.advice.rationale
    openstack = twin(case, guest={"manager": "openstack"})
    assert "avic=1" not in fixes(found(openstack)["local-apic"])
    assert "lost ticks" in found(openstack)["local-apic"].advice.rationale
    on = twin(recording("14"), guest={"vmm": "firecracker"}, options=())
    assert "Firecracker's PIT" in " ".join(found(on)["apic-inhibited"].advice.context)


def test_avic_that_is_off_is_turned_on_with_its_conditions_and_without_hv_vapic() -> None:
    case = recording("25")
    (finding,) = found(case).values()
    assert "modprobe kvm_amd avic=1" in fixes(finding)
    assert "lost_tick_policy=discard" in fixes(finding)
    assert "hv-vapic" not in fixes(finding)
    without = twin(case, facts={"flags": ("svm",)})
    assert "avic=1" not in fixes(found(without)["local-apic"])
    assert "hv-vapic=on" in fixes(found(without)["local-apic"])


def test_apic_writes_are_the_page_where_x2apic_is_off() -> None:
    case = recording("28")
    (finding,) = found(case).values()
    assert finding.rule == "apic-acceleration"
    assert "page (xAPIC" in finding.advice.title
    assert "MSR" not in finding.advice.title
    assert "enable_ipiv=1" not in fixes(finding)
    assert "the CPU mostly has none" in finding.advice.context[0]
    capable = found(twin(case, facts={"flags": ("vmx:ipi_virt",)}))["apic-acceleration"]
    assert "enable_ipiv=1" in fixes(capable)
    assert "Linux 6.0" in {change.since for change in capable.advice.changes}
    on = twin(case, options=(("cpu", "host"),))
    assert "page (xAPIC;" not in found(on)["apic-acceleration"].advice.title
    has = twin(case, facts={"parameters": {"kvm_intel.enable_ipiv": "Y"}})
    assert "enable_ipiv" not in fixes(found(has)["apic-acceleration"])


def test_halts_that_return_at_once_are_polled() -> None:
    finding = found(recording("06"))["halts"]
    assert next(iter(found(recording("06")))) == "halts"
    assert finding.advice.title.startswith("The host polls")
    assert finding.advice.context[0].startswith("the mean idle time is 29.2µs, 98.")
    assert "QEMU" not in {change.where.value for change in finding.advice.changes}
    limit = finding.advice.changes[-2]
    assert "until the host reboots" in limit.note
    assert "full stop and start" in limit.note  # Linux 5.12 copies the limit when a guest starts
    newer = found(twin(recording("06"), kernel="6.1.0"))["halts"].advice.changes[-2]
    assert "effective at once" in newer.note
    asleep = twin(recording("06"), facts={"parameters": {"kvm.halt_poll_ns": "0"}})
    assert not found(asleep)["halts"].advice.title.startswith("The host polls")
    assert "echo 200000" in fixes(found(asleep)["halts"])


def test_ping_pong_asks_for_haltpoll_with_what_it_needs() -> None:
    finding = found(recording("11"))["halts"]
    assert "cpuidle_haltpoll force=1" in fixes(finding)
    assert "kvm-hint-dedicated=on" in fixes(finding)
    hinted = twin(recording("11"), options=(("cpu", "host,kvm-hint-dedicated=on"),))
    assert "force=1" not in fixes(found(hinted)["halts"])
    since = [change.since for change in found(hinted)["halts"].advice.changes]
    assert "Linux 5.4 in the guest" in since
    assert "Linux 5.7 in the guest" in [change.since for change in finding.advice.changes]


def test_a_clock_that_the_command_line_hides_is_said_first() -> None:
    case = recording("23")
    (finding,) = found(case).values()
    assert finding.rule == "hidden-hypervisor"
    assert finding.share == pytest.approx(0.24, abs=0.001)
    assert "bcdedit" not in fixes(finding)
    assert "without hypervisor=off" in fixes(finding)
    assert finding.advice.confidence is Confidence.HIGH
    shown = twin(case, options=(("cpu", "host,hv-time=on"),))
    assert rules(shown) == ["pm-timer"]
    assert "bcdedit" in fixes(found(shown)["pm-timer"])


@pytest.mark.parametrize(
    ("cpu", "hidden"),
    [
        ("host,kvm=off", True),
        ("host,kvm=off,hv-time=on", False),
        ("host,-hv-time", True),
        ("host,hv-time=on", False),
        ("host,-hypervisor,hv-time=on", True),
    ],
)
def test_what_hides_a_clock(cpu: str, hidden: bool) -> None:
    case = twin(recording("23"), options=(("cpu", cpu),))
    assert ("hidden-hypervisor" in rules(case)) is hidden


def test_kvm_off_hides_kvms_clock_and_not_that_of_hyper_v() -> None:
    case = twin(recording("23"), options=(("cpu", "host,kvm=off"),))
    finding = found(case)["hidden-hypervisor"]
    assert "hv-time=on" in fixes(finding)
    assert "without kvm=off" in fixes(finding)
    assert "no enlightenment" not in finding.advice.cause
    case = twin(recording("23"), options=(("cpu", "host,hv-time=off"),))
    finding = found(case)["hidden-hypervisor"]
    assert finding.advice.confidence is Confidence.MEDIUM
    assert "any paravirtual clock" not in finding.advice.rationale
    assert "kvm-clock all the same" in finding.advice.cause


def test_task_priority_is_what_apic_virtualization_ends() -> None:
    case = recording("22-reasons-without-rule.svm-write_cr8")
    off = twin(case, facts={"parameters": {"kvm_amd.avic": "N"}})
    assert "avic is N" in found(off)["control-registers"].advice.context[0]
    assert "kvm_cr" in fixes(found(case)["control-registers"])


def test_idle_and_busy_are_not_told_apart_under_sev_es() -> None:
    guest = diagnosed(recording("17"))
    assert guest.findings == ()
    (expected,) = guest.expected
    assert expected.rule == "sev-es"
    assert "99.0%" in expected.advice.title
    assert guest.verdict.value == "unknown"
    assert guest.vcpus[0].idle is None
    plain = diagnosed(twin(recording("17"), rename={"vmgexit": "hlt"}))
    assert plain.expected == ()
    assert plain.verdict.value == "idle"
