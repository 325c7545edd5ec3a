"""Views of what Intel's hardware alone tells: control registers, exceptions, interrupts."""

from collections import Counter
from typing import Any

import pytest

from tests.testbed.comparing import of
from tests.testbed.conftest import Findings
from tests.testbed.odd_guests import NOTIFIES, NOTIFY_ADDRESS
from tests.testbed.test_testbed_views import events_of, targets
from tests.testbed.viewed import INTEL_WORK, UD_VECTOR

pytestmark = pytest.mark.hosts("vmx")

EXTERNAL_INTERRUPT = 1
CR4 = 4


@pytest.fixture(scope="session")
def found(findings: Findings) -> Any:
    return findings("registers")


def test_a_write_to_a_control_register_is_told_by_its_number(found: Any) -> None:
    seen = targets(found)
    assert seen["cr", "write", CR4] == INTEL_WORK["cr4 write"][0]
    crs = Counter(event.fields["cr"] for event in events_of(found) if event.name == "kvm_cr")
    ours: Counter[int] = Counter()
    for (kind, _, number), count in seen.items():
        if kind == "cr":
            ours[number] += count
    assert ours == crs


def test_exceptions_and_interrupts_are_told_by_their_vectors(found: Any) -> None:
    seen = targets(found)
    assert seen["exception", None, UD_VECTOR] == INTEL_WORK["ud2"][0]
    exits = [event for event in events_of(found) if event.name == "kvm_exit"]
    vectors = Counter(
        event.fields["intr_info"] & 0xFF
        for event in exits
        if event.fields["exit_reason"] & 0xFFFF == EXTERNAL_INTERRUPT
    )
    assert {key[2]: n for key, n in seen.items() if key[0] == "interrupt"} == vectors
    assert of(found).lost == {}


def test_a_kick_is_that_of_the_eventfd(found: Any) -> None:
    """The first touch marks the page: KVM emulates it."""
    assert found["kicks"]["guest"]["notified"] == NOTIFIES
    seen = targets(found["kicks"])
    assert seen["kick", "write", NOTIFY_ADDRESS] == NOTIFIES - 1
    assert seen["mmio", "write", NOTIFY_ADDRESS] == 1
