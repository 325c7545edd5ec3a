"""Field cases of APIC virtualization, timers and halts, and their twins of the opposite cause."""

import pytest

from bpfexit.advice.finding import Confidence
from tests.unit.advice.recordings import causes, fixes, found, judged, recording, rules, twin

SYNIC = (("cpu", "host,hv-vapic=on,hv-vpindex=on,hv-synic=on,hv-time=on,hv-stimer=on"),)


def test_synic_without_hv_avic_inhibits_apicv() -> None:
    case = recording("02-hv-vapic-with-apicv.1")
    (finding,) = found(case).values()
    assert finding.rule == "apic-inhibited"
    assert finding.share == pytest.approx(0.0743, abs=0.0005)
    assert "-cpu …,hv-avic=on" in fixes(finding)
    assert {change.since for change in finding.advice.changes} == {
        "QEMU 6.2, libvirt 8.10, Linux 5.15"
    }


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
    off = twin(case, facts={"parameters": {"kvm_intel.enable_apicv": "N"}})
    assert "hv-vapic=off" not in fixes(found(off).values())


def test_the_hpet_comes_before_exits_of_apicv_itself() -> None:
    case = recording("02-hv-vapic-with-apicv.3")
    assert rules(case) == ["hpet", "apic-acceleration"]
    apic = found(case)["apic-acceleration"]
    assert "xAPIC" in apic.advice.title
    assert "x2APIC" in apic.advice.title
    assert "after the access" in apic.advice.because
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
    after = judged(recording("03-rtc-storm-avic-on.after"))
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
    assert "default is Y" in finding.advice.because
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
    assert "svm=off" in fixes(finding)
    assert "no x2AVIC" in causes(finding)
    assert "kvm_apicv_inhibit_changed" in finding.advice.candidates[0].decided_by
    options = (("cpu", "host,-svm,x2apic=off"), ("global", "kvm-pit.lost_tick_policy=discard"))
    ended = twin(case, options=options)
    assert "apic-inhibited" not in rules(ended)
    assert "lost_tick_policy" not in fixes(found(ended).values())
    assert "svm=off" not in fixes(found(ended).values())
    synic = twin(case, options=(*options[1:], ("cpu", "host,-svm,x2apic=off,hv-synic=on")))
    assert fixes(found(synic)["apic-inhibited"]).count("avic") == 2  # libvirt and QEMU


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
    assert "enable_ipiv=1" in fixes(finding)
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
    asleep = twin(recording("06"), facts={"parameters": {"kvm.halt_poll_ns": "0"}})
    assert not found(asleep)["halts"].advice.title.startswith("The host polls")
    assert "echo 200000" in fixes(found(asleep)["halts"])


def test_ping_pong_asks_for_haltpoll_with_what_it_needs() -> None:
    finding = found(recording("11"))["halts"]
    assert "cpuidle_haltpoll force=1" in fixes(finding)
    assert "kvm-hint-dedicated=on" in fixes(finding)
    hinted = twin(recording("11"), options=(("cpu", "host,kvm-hint-dedicated=on"),))
    assert "force=1" not in fixes(found(hinted)["halts"])


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


def test_idle_and_busy_are_not_told_apart_under_sev_es() -> None:
    guest = judged(recording("17"))
    assert guest.findings == ()
    (expected,) = guest.expected
    assert expected.rule == "sev-es"
    assert "99.0%" in expected.advice.title
    assert guest.verdict.value == "unknown"
    assert guest.vcpus[0].idle is None
    plain = judged(twin(recording("17"), rename={"vmgexit": "hlt"}))
    assert plain.expected == ()
    assert plain.verdict.value == "idle"
