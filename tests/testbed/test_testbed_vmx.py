"""What only Intel's KVM does: accesses without exits, exits without accesses, refused entries."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bpfexit.commands.diagnose import diagnose
from tests.counting import CONTROL_PORT, Place
from tests.ftrace import Event, recorded
from tests.testbed.comparing import counted, of, rows_of
from tests.testbed.conftest import Findings
from tests.testbed.intel import APIC_READS
from tests.testbed.kernels import Kernel
from tests.testbed.odd_guests import (
    ATTEMPTS,
    KERNEL_PORT,
    KERNEL_READS,
    NOTIFIES,
    NOTIFY_ADDRESS,
    USER_PORT,
    USER_READS,
)
from tests.testbed.truth import NOWHERE

pytestmark = pytest.mark.hosts("vmx")

FAIL_ENTRY = 9
"""KVM_EXIT_FAIL_ENTRY."""
REFUSED = "INVALID_STATE FAILED_VMENTRY"
REFUSED_CODE = 0x80000021

FIRST_TOUCHES = 10
"""At least as many pages as a guest's program, its data and its APIC have."""


def events(found: Any) -> dict[str, list[Event]]:
    """Return what ftrace saw, by event."""
    groups: dict[str, list[Event]] = {}
    for event in recorded(Path(found["trace"])):
        groups.setdefault(event.name, []).append(event)
    return groups


def test_an_access_without_an_exit_is_counted_without_a_reason(findings: Findings) -> None:
    found = findings("real_mode")
    result, seen = of(found), events(found)
    assert "kvm_exit" not in seen
    reads = {
        Place("pio", "read", KERNEL_PORT): KERNEL_READS,
        Place("pio", "read", USER_PORT): USER_READS,
    }
    end = Place("pio", "write", CONTROL_PORT)
    assert Counter(event.fields["port"] for event in seen["kvm_pio"]) == {
        place.address: count for place, count in [*reads.items(), (end, 1)]
    }
    assert result.guest["served"] == USER_READS
    # The end, which the guest waits in, may not have ended.
    assert {place: n for place, n in result.places().items() if place != end} == reads
    assert result.reasons().keys() == {None}
    assert result.lost == {}


def test_a_read_of_the_apic_page_is_counted_once_and_its_second_exit_at_no_address(
    findings: Findings, kernel: Kernel
) -> None:
    result = of(findings("apic"))
    exits = counted(result)
    assert sum(n for (_, place), n in exits.items() if place != NOWHERE) == APIC_READS
    # Linux 6.1 looks for the page's mapping again after it has emulated the access.
    second = APIC_READS if kernel.release.startswith("6.1.") else 0
    assert second <= exits["EPT_VIOLATION", NOWHERE] <= second + FIRST_TOUCHES
    assert result.lost == {}


def test_the_apic_page_is_no_memory_that_is_faulted_in(findings: Findings) -> None:
    recording = findings("apic")["recording"]
    done = CliRunner().invoke(diagnose, ["--input", recording, "-j"])
    assert done.exit_code == 0, done.output
    documents = [json.loads(line) for line in done.output.splitlines()]
    rules = {each["rule"] for each in documents if each["about"] == "finding"}
    assert "local-apic" in rules
    assert "memory-faults" not in rules


def test_a_refused_entry_is_an_exit_and_the_last_has_not_ended(findings: Findings) -> None:
    found = findings("refused")
    result, seen = of(found), events(found)
    assert result.guest["reasons"] == [FAIL_ENTRY] * ATTEMPTS
    codes = [event.fields["exit_reason"] & 0xFFFFFFFF for event in seen["kvm_exit"]]
    assert codes == [REFUSED_CODE] * ATTEMPTS
    assert counted(result) == {(REFUSED, NOWHERE): ATTEMPTS - 1}
    assert result.snapshots[-1]["in_flight"] == 1
    assert result.lost == {}


def test_an_eventfd_s_address_is_counted_without_kvm_mmio(findings: Findings) -> None:
    found = findings("notify")
    result, seen = of(found), events(found)
    assert (result.guest["served"], result.guest["notified"]) == (0, NOTIFIES)
    # The first touch marks the page; KVM emulates it.
    assert (len(seen["kvm_mmio"]), len(seen["kvm_fast_mmio"])) == (1, NOTIFIES - 1)
    place = Place("mmio", "write", NOTIFY_ADDRESS)
    assert sum(row["count"] for row in rows_of(result, ("EPT_VIOLATION", place))) == 1
    fast = rows_of(result, ("EPT_MISCONFIG", place))
    assert sum(row["count"] for row in fast) == NOTIFIES - 1
    assert {(row["size"], row["user_count"]) for row in fast} == {(None, 0)}
    assert result.lost == {}
