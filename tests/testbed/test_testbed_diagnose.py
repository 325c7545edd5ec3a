"""`bpfexit diagnose` on a real `kvm_amd`, with exits and latencies, beside two real QEMUs."""

from typing import Any

import pytest

from tests.integration import qemu
from tests.testbed.conftest import Findings


@pytest.fixture(scope="module")
def documents(findings: Findings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = findings("diagnosed")
    return found


def findings_of(documents: list[dict[str, Any]], vm: str) -> dict[str, dict[str, Any]]:
    """Return those of a guest that are not about the CPU, which both share, by rule."""
    mine = (each for each in documents if each["about"] == "finding" and each["vm"] == vm)
    return {each["rule"]: each for each in mine if each["rule"] != "cpu-starved"}


def advised(finding: dict[str, Any]) -> str:
    return " ".join(each["text"] for each in finding["fixes"])


@pytest.mark.parametrize("vm", ["plain", "clocked"])
def test_the_pm_timer_costs_most_and_latencies_are_known(
    documents: list[dict[str, Any]], vm: str
) -> None:
    rule, first = next(iter(findings_of(documents, vm).items()))
    assert (rule, first["cost_of"], first["confidence"]) == (
        "pm-timer",
        "exits",
        {"plain": "high", "clocked": "medium"}[vm],
    )
    (seen,) = first["evidence"]
    assert (seen["address"], seen["name"], seen["reason"]) == (qemu.PM_TIMER, "acpi-tmr", "io")
    assert seen["mean_ns"] > seen["user_mean_ns"] > 0
    assert first["cost_ns_per_s"] == pytest.approx(seen["per_s"] * seen["mean_ns"], rel=0.01)


def test_a_hyperv_clock_is_advised_only_where_there_is_none(
    documents: list[dict[str, Any]],
) -> None:
    plain, clocked = (findings_of(documents, vm)["pm-timer"] for vm in ("plain", "clocked"))
    assert "hv-time=on" in advised(plain)
    assert "<timer name='hypervclock' present='yes'/>" in advised(plain)
    assert "hv-time" not in advised(clocked)
    assert clocked["context"] == ["hv-time on"]


def test_avic_is_not_advised_for_the_apic_page_since_the_cpu_has_none(
    documents: list[dict[str, Any]],
) -> None:
    found = findings_of(documents, "plain")["local-apic"]
    assert {each["address"] for each in found["evidence"]} == {qemu.APIC_VERSION, qemu.APIC_EOI}
    assert {each["reason"] for each in found["evidence"]} == {"npf"}
    assert "avic=1" not in advised(found)
    assert "hv-vapic=on" in advised(found)
    # Linux 5.10 has a number there.
    assert found["context"][0] in {f"kvm_amd.avic is {off} on this host" for off in ("N", "0")}
    assert found["context"][1] == "the host's CPU has no AVIC"


def test_the_notify_is_one_and_its_length_decides_whether_it_is_expected(
    documents: list[dict[str, Any]],
) -> None:
    rules = {
        (each["vm"], each["rule"])
        for each in documents
        for seen in each.get("evidence", ())
        if seen["address"] == qemu.VIRTIO_NOTIFY
    }
    assert {vm for vm, _ in rules} == {"plain", "clocked"}
    known = {"virtio-notify", "virtio-user-notify", "slow-user-space", "slow-exits", "cpu-starved"}
    assert {rule for _, rule in rules} <= known


def test_the_time_of_a_vcpu_is_all_accounted_for(documents: list[dict[str, Any]]) -> None:
    whole = documents[0]
    guests = [each for each in documents if each["about"] == "guest"]
    assert len(guests) == 2
    for (vcpu,) in (each["vcpus"] for each in guests):
        total = vcpu["guest_ns"] + vcpu["exits_ns"] + vcpu["idle_ns"]
        assert total == pytest.approx(whole["duration_s"] * 1e9, rel=0.1)
        assert vcpu["exits_ns"] > vcpu["user_ns"] > 0
