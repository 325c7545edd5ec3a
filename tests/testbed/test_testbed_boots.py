"""The testbed itself: the right kernel, a working KVM, and exits that ftrace sees too."""

import pytest

from tests.testbed.conftest import Findings, Testbed
from tests.testbed.kernels import SUITES, Kernel
from tests.testbed.vendors import Vendor

pytestmark = pytest.mark.hosts("svm", "vmx")


def test_runs_the_kernel_it_was_asked_for(findings: Findings, kernel: Kernel) -> None:
    release = findings("machine")["release"]
    assert release == kernel.release
    assert release.startswith(SUITES[kernel.suite])


def test_has_its_vendor_s_kvm_and_sees_the_checkout(findings: Findings, testbed: Testbed) -> None:
    machine = findings("machine")
    assert machine["kvm_device"]
    assert testbed.host.module in machine["modules"]
    assert machine["checkout"]


def test_ftrace_sees_every_exit_of_the_guest(findings: Findings) -> None:
    seen = findings("ftrace")
    (vcpu,) = seen["guest"]["vcpus"]
    taken = sum(operation["count"] for operation in vcpu["operations"])
    assert seen["reads_of_0x21"] == taken == 997
    assert seen["counts"]["kvm_pio"] == taken + vcpu["control_exits"]


def test_exits_and_entries_come_in_pairs(findings: Findings) -> None:
    counts = findings("ftrace")["counts"]
    assert counts["kvm_exit"] == counts["kvm_entry"] >= 998


def test_kvm_exit_is_attached_in_the_way_this_kernel_allows(
    findings: Findings, vendor: Vendor
) -> None:
    checks = {check["name"]: check["fact"] for check in findings("machine")["checks"]}
    assert checks["kvm_exit program"].startswith(vendor.program)
