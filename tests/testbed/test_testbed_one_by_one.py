"""Exits told of one by one on a real `kvm_amd` and `kvm_intel`: each as ftrace has it."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bpfexit.tracer.host_plan import TYPED_TASK
from tests.slow_guest import DELAY_US, parts
from tests.testbed.comparing import (
    EXITS_A_PAGE,
    PAGE_TURN,
    PROBE_SLACK,
    check_exact,
    key_of,
    of,
    truth_of,
)
from tests.testbed.conftest import Findings
from tests.testbed.kernels import Kernel
from tests.testbed.truth import Exit
from tests.testbed.vendors import Vendor

pytestmark = pytest.mark.hosts("svm", "vmx")

LATENCIES = ("ns", "user_ns")


def test_every_single_exit_is_that_of_ftrace(findings: Findings, vendor: Vendor) -> None:
    found = findings("one_by_one")
    result = of(found)
    check_exact(result, vendor)
    lost = [(each["slow"]["rate_limited"], each["slow"]["dropped"]) for each in result.snapshots]
    assert set(lost) == {(0, 0)}
    # A halt is never slow.
    truth = [each for each in truth_of(found)[0] if each.reason != vendor.halt]
    told = [each for snapshot in result.snapshots for each in snapshot["slow"]["exits"]]
    assert [(*key_of(each), each["size"], each["rip"]) for each in told] == [
        (each.reason, each.place, each.size, each.rip) for each in truth
    ]
    page_turns = len(truth) / EXITS_A_PAGE + 1
    ns, user_ns = (differences(told, truth, name) / vendor.instruction_ns for name in LATENCIES)
    off = np.abs(ns - np.median(ns))
    assert np.max(off) < PAGE_TURN
    assert np.count_nonzero(off > PROBE_SLACK) <= page_turns
    assert np.count_nonzero(np.abs(user_ns) > PROBE_SLACK) <= page_turns


def differences(told: list[Any], truth: list[Exit], name: str) -> NDArray[np.float64]:
    """Return ours minus ftrace's of each exit."""
    pairs = zip(told, truth, strict=True)
    return np.array([ours[name] - getattr(each, name) for ours, each in pairs], np.float64)


@pytest.mark.hosts("svm")
def test_slow_exits_are_told_of_one_by_one_and_no_halt_is(
    findings: Findings, vendor: Vendor, kernel: Kernel
) -> None:
    result = findings("slow")
    exits, _ = truth_of(result)
    told = Counter(
        (*key_of(each), each["rip"])
        for each in result["told"]
        if each["user_ns"] >= DELAY_US * 1000
    )
    truth = [each for each in exits if each.user_ns >= DELAY_US * 1000]
    assert sorted(Counter(each.place for each in truth).values()) == [7, 11, 13]
    assert told == Counter((each.reason, each.place, each.rip) for each in truth)
    assert all(each["ns"] >= each["user_ns"] for each in result["told"])
    assert parts(result["told"]) == parts(result["rows"])
    is_measured = kernel.version >= TYPED_TASK
    assert {ns is not None for ns in parts(result["told"]).values()} == {is_measured}
    assert vendor.halt not in {each["reason"] for each in result["told"]}
