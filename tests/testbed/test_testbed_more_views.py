"""Hypercalls of other hypervisors, kicks of eventfds, and more instructions than have rows."""

from collections import Counter
from typing import Any

import pytest

from tests.testbed.comparing import of
from tests.testbed.conftest import Findings
from tests.testbed.kernels import Kernel
from tests.testbed.odd_guests import NOTIFIES, NOTIFY_ADDRESS
from tests.testbed.paravirtual import HYPERV_CALLS, XEN_CALLS
from tests.testbed.test_testbed_views import events_of, targets
from tests.testbed.truth import SVM_NAMES
from tests.testbed.viewed import MANY, MANY_TIMES

MAX_RIPS = 256
OTHER_RIPS = 2**64 - 1


@pytest.fixture(scope="session")
def more(findings: Findings) -> Any:
    return findings("more_views")


def of_kind(found: Any, kind: str) -> Counter[int]:
    """Count the exits of a kind by target."""
    total: Counter[int] = Counter()
    for (of_this, _, target), count in targets(found).items():
        if of_this == kind:
            total[target] += count
    return total


def test_hypercalls_of_hyper_v_are_told_by_their_code(more: Any) -> None:
    assert of_kind(more["hyperv"], "hv_hypercall") == HYPERV_CALLS
    assert of(more["hyperv"]).lost == {}


def test_hypercalls_of_xen_are_told_by_their_number(more: Any, kernel: Kernel) -> None:
    if kernel.suite == "bullseye":
        assert more["xen"] is None  # the event came with Linux 5.12
        return
    served = more["xen"]["guest"]["served"]
    if served is None:
        pytest.skip("this kernel does not emulate Xen")
    assert served == sum(XEN_CALLS.values())
    assert of_kind(more["xen"], "xen_hypercall") == XEN_CALLS
    rows = [row for row in of(more["xen"]).rows if row["kind"] == "xen_hypercall"]
    assert sum(row["user_count"] for row in rows) == served


def test_kicks_are_those_of_kvm_fast_mmio(more: Any) -> None:
    """Where SVM has none, KVM emulates the write, and it is an MMIO access."""
    kicks = more["kicks"]
    assert kicks["guest"]["notified"] == NOTIFIES
    fast = sum(event.name == "kvm_fast_mmio" for event in events_of(kicks))
    assert of_kind(kicks, "kick") == ({NOTIFY_ADDRESS: fast} if fast else {})
    assert of_kind(kicks, "mmio")[NOTIFY_ADDRESS] == NOTIFIES - fast


def test_instructions_beyond_the_bound_are_counted_together(more: Any) -> None:
    exits = [event.fields for event in events_of(more["many"]) if event.name == "kvm_exit"]
    truth = Counter((SVM_NAMES[each["exit_reason"]], each["guest_rip"]) for each in exits[:-1])
    ours: Counter[tuple[str, int]] = Counter()
    others: Counter[str] = Counter()
    for row in of(more["many"]).rows:
        if row["address"] == OTHER_RIPS:
            others[row["reason"]] += row["count"]
        else:
            ours[row["reason"], row["address"]] += row["count"]
    assert len(ours) == MAX_RIPS < MANY
    assert {key: truth[key] for key in ours} == ours
    rest: Counter[str] = Counter()
    for (reason, rip), count in truth.items():
        rest[reason] += count if (reason, rip) not in ours else 0
    assert others == +rest
    assert others["cpuid"] >= (MANY - MAX_RIPS) * MANY_TIMES
    assert of(more["many"]).lost == {}
