"""A guest starved by a busy CPU, by a quota, by swap: the right column, and which it is."""

from typing import Any

import pytest

from tests import starving
from tests.testbed.conftest import Findings, Testbed

QUOTAS = ["quota_v2", "quota_v1"]
CPU_BOUND = ["hog", *QUOTAS]


def rules(outcome: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["rule"]: each for each in outcome["findings"]}


def parts(outcome: dict[str, Any]) -> dict[str, float]:
    """Return the parts of the vCPU's time as shares; without `wait` where it is not known."""
    (vcpu,) = outcome["guest"]["vcpus"]
    names = ("guest_ns", "kvm_ns", "user_ns", "wait_ns", "idle_ns")
    known = {name: vcpu[name] for name in names if vcpu[name] is not None}
    return {name: ns / sum(known.values()) for name, ns in known.items()}


def waited(outcome: dict[str, Any]) -> float:
    """Return the share of its time that the vCPU's thread waited, as the scheduler counts."""
    usage = outcome["guest"]["usage"]
    (times,) = (each for each in usage["threads"] if each["role"] == "vcpu")
    share: float = times["wait_ns"] / usage["seconds"] / 1e9
    return share


@pytest.mark.parametrize("scenario", CPU_BOUND)
def test_without_a_cpu_it_waits(findings: Findings, scenario: str) -> None:
    outcome = findings(scenario)
    assert waited(outcome) > 0.25
    if outcome["all"]["has_waiting"]:
        shares = parts(outcome)
        assert shares["wait_ns"] > 0.25
        assert shares["wait_ns"] == pytest.approx(waited(outcome), abs=0.1)


@pytest.mark.parametrize("scenario", CPU_BOUND)
def test_it_is_the_first_finding(findings: Findings, scenario: str) -> None:
    outcome = findings(scenario)
    first = outcome["findings"][0]
    assert (first["rule"], first["cost_of"]) == ("cpu-starved", "waiting")
    assert "swapped-memory" not in rules(outcome)


def test_a_busy_process_is_no_quota(findings: Findings) -> None:
    finding = rules(findings("hog"))["cpu-starved"]
    assert finding["title"].endswith("other threads run on theirs")
    assert not any("quota" in fix["text"] for fix in finding["fixes"])


@pytest.mark.parametrize("scenario", QUOTAS)
def test_a_quota_is_no_busy_process(findings: Findings, scenario: str) -> None:
    outcome = findings(scenario)
    finding = rules(outcome)["cpu-starved"]
    assert finding["title"].endswith("a CPU quota stops them")
    assert finding["confidence"] == "high"
    (quota,) = outcome["guest"]["usage"]["quotas"]
    assert quota["cgroup"] == f"/{starving.THREAD_GROUP}"
    assert quota["cpus"] == starving.QUOTA_US / starving.PERIOD_US
    assert any(quota["cgroup"] in fix["text"] for fix in finding["fixes"])


def test_swapped_out_memory_is_time_in_page_faults(findings: Findings, testbed: Testbed) -> None:
    outcome = findings("swapped")
    finding = outcome["findings"][0]
    assert (finding["rule"], finding["confidence"]) == ("swapped-memory", "high")
    assert {line["reason"] for line in finding["evidence"]} == {"npf"}
    assert finding["vcpu_share"] > 0.5
    usage = outcome["guest"]["usage"]
    assert usage["swapped_bytes"] > 1 << 20
    assert usage["major_faults"] > 0
    if outcome["all"]["has_waiting"]:
        assert parts(outcome)["kvm_ns"] > 0.5
        assert finding["vcpu_share"] > parts(outcome)["wait_ns"]
