"""Where the time of vCPUs goes: every nanosecond is in one part, and the scheduler agrees."""

from typing import Any

import pytest

from bpfexit.model.vcpu_parts import PARTS
from tests.testbed.conftest import Findings
from tests.testbed.kernels import Kernel


@pytest.fixture(scope="session")
def accounts(findings: Findings) -> dict[str, Any]:
    """Return what two vCPUs beside busy processes were seen to do."""
    found: dict[str, Any] = findings("accounts")
    return found


@pytest.fixture(scope="session")
def ends(accounts: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return the counters of each vCPU as it had ended, by thread."""
    vcpus: dict[str, dict[str, int]] = accounts["readings"][-1]["vcpus"]
    assert len(vcpus) == 2
    assert all(vcpu["unpaired"] == vcpu["map_full"] == 0 for vcpu in vcpus.values())
    return vcpus


def test_guest_and_exits_fill_the_time_from_the_first_event_to_the_last(
    accounts: dict[str, Any], ends: dict[str, dict[str, int]]
) -> None:
    for tid, vcpu in ends.items():
        # The last event is the exit that ended the guest: it is in no row yet.
        assert vcpu["guest_ns"] + accounts["rows"][tid] == vcpu["exit_ns"] - vcpu["seen_ns"]


def test_the_parts_of_all_intervals_are_the_counters(
    accounts: dict[str, Any], ends: dict[str, dict[str, int]]
) -> None:
    for tid, vcpu in ends.items():
        parts = dict(zip(PARTS, accounts["parts"][tid], strict=True))
        assert parts["guest_ns"] == vcpu["guest_ns"] - vcpu["guest_wait_ns"]
        assert parts["wait_ns"] == vcpu["guest_wait_ns"] + vcpu["wait_ns"]
        assert parts["idle_ns"] == vcpu["idle_ns"] > 0
        # The exit in flight is in user space by now, and goes on.
        assert parts["user_ns"] > vcpu["busy_user_ns"] > 0
        assert parts["kvm_ns"] > 0
        assert sum(parts.values()) > vcpu["exit_ns"] - vcpu["seen_ns"]


def test_a_vcpu_that_is_preempted_out_of_the_guest_waits_where_the_kernel_lets_it(
    findings: Findings, kernel: Kernel
) -> None:
    """Before Linux 6.6, SVM fires `kvm_exit` with preemption on again: it waits before it."""
    found = findings("preempted")
    if found is None or kernel.suite == "bullseye":
        pytest.skip("this kernel cannot be made preemptible, or does not tell of waiting")
    ended = found["readings"][-1]["vcpus"].values()
    waits = [each["guest_wait_ns"] for each in ended]
    assert all(waits) if kernel.suite == "bookworm" else not any(waits)
    for vcpu in ended:
        waited = vcpu["guest_wait_ns"] + vcpu["wait_ns"]
        at_end = found["readings"][-1]["after"][str(int(vcpu["owner"]) & 0xFFFFFFFF)]
        assert 0 < waited <= vcpu["run_delay"] <= at_end


def test_waiting_is_the_run_delay_of_the_scheduler(
    accounts: dict[str, Any], ends: dict[str, dict[str, int]]
) -> None:
    for tid in ends:
        at_first = set()
        for reading in accounts["readings"]:
            vcpu = reading["vcpus"].get(tid)
            if not vcpu or not vcpu["seen_ns"]:
                continue
            waited = vcpu["guest_wait_ns"] + vcpu["wait_ns"]
            at_first.add(vcpu["run_delay"] - waited)
            # What the scheduler has beyond that is in flight.
            assert vcpu["run_delay"] <= reading["after"][tid]
        # However often it was read, only what was before the first event is missing.
        assert len(at_first) == 1
