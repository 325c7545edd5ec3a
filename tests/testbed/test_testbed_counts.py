"""Counts are exact in every scenario: moved, nested, filtered, string I/O, full maps."""

from collections import Counter

import pytest

from tests.counting import Counted, Place
from tests.testbed.comparing import (
    check_exact,
    counted,
    of,
    sized,
    truth_of,
)
from tests.testbed.conftest import Findings
from tests.testbed.exits import HALTS, NESTED
from tests.testbed.nested import PORT
from tests.testbed.truth import NOWHERE
from tests.testbed.vendors import Vendor

pytestmark = pytest.mark.hosts("svm", "vmx")

STRING_PORT = 0xC060


@pytest.mark.hosts("svm")
@pytest.mark.parametrize("scenario", ["moved", "moved_exact"])
def test_counts_are_exact_while_the_vcpus_move_between_cpus(
    findings: Findings, vendor: Vendor, scenario: str
) -> None:
    moved = findings(scenario)
    check_exact(of(moved), vendor)
    assert moved["moves"] > 10
    assert {row["vcpu"] for row in of(moved).rows} == {0, 1}


@pytest.mark.hosts("svm")
def test_counts_of_some_reasons_are_exact_while_the_vcpus_move(
    findings: Findings, vendor: Vendor
) -> None:
    moved = findings("moved_filtered")
    check_filtered(of(moved), vendor)
    assert moved["moves"] > 10


@pytest.mark.hosts("svm", "vmx")
def test_guests_chosen_by_name_are_exact_and_others_are_not_counted(
    findings: Findings, vendor: Vendor
) -> None:
    found = findings("named")
    check_exact(of(found), vendor)
    assert found["of_other"] == 0
    (snapshot,) = found["snapshots"]
    assert {vcpu["vm"] for vcpu in snapshot["vcpus"]} == {"wanted-1"}


@pytest.mark.hosts("svm")
def test_exits_of_a_nested_guest_are_exact(findings: Findings) -> None:
    found = findings("nested")
    result, (truth, unended) = of(found), truth_of(found)
    served, reflected = NESTED
    seen = counted(result)
    assert seen["vmrun", NOWHERE] == served + reflected
    assert seen["io", Place("pio", "read", PORT)] == served  # by KVM
    assert seen["io", NOWHERE] == reflected  # to the guest, which is to serve it
    assert seen["cpuid", NOWHERE] == served
    assert sized(result) == Counter((each.reason, each.place, each.size) for each in truth)
    assert unended == result.snapshots[-1]["in_flight"] == 1
    assert result.lost == {}


@pytest.mark.hosts("svm")
def test_a_thread_may_run_one_vcpu_after_another(findings: Findings, vendor: Vendor) -> None:
    check_exact(of(findings("successive")), vendor)


@pytest.mark.hosts("svm")
def test_string_io_is_counted_by_exits_or_by_accesses(findings: Findings, vendor: Vendor) -> None:
    exits, accesses = of(findings("strings")), of(findings("strings_exact"))
    check_exact(accesses, vendor, besides={(vendor.port, NOWHERE)})
    string = Place("pio", "read", STRING_PORT)
    done = exits.done()[string]
    # SVM exits once more to finish one, and then tells the port again.
    seen = exits.places()
    assert seen[string] == (2 * done if vendor.carried else done)
    assert exits.lost == ({"string_io": seen[string]} if vendor.carried else {})
    others = exits.done() - Counter({string: done})
    assert {place: seen[place] for place in others} == others


@pytest.mark.hosts("svm")
def test_the_guest_ends_though_its_timer_fires_while_a_handler_returns(findings: Findings) -> None:
    (vcpu,) = findings("halts")["guest"]["vcpus"]
    assert [each["count"] for each in vcpu["operations"]] == [HALTS]


@pytest.mark.hosts("svm")
def test_more_addresses_than_the_cache_holds_are_exact(findings: Findings, vendor: Vendor) -> None:
    check_exact(of(findings("many")), vendor)


def test_only_the_reasons_asked_for_are_counted(findings: Findings, vendor: Vendor) -> None:
    check_filtered(of(findings("by_reason")), vendor)


def check_filtered(result: Counted, vendor: Vendor) -> None:
    """Every exit by CPUID or for a port is there once, and no other."""
    asked = {vendor.cpuid, vendor.port}
    taken = vendor.expected(result.operations())
    truth = {key: n for key, n in taken.items() if key[0] in asked}
    seen = counted(result)
    assert {key: seen[key] for key in truth} == truth
    assert result.reasons().keys() == asked
    assert result.lost == {}


@pytest.mark.hosts("svm")
def test_only_the_vcpu_asked_for_is_counted(findings: Findings, vendor: Vendor) -> None:
    result = of(findings("by_vcpu"))
    assert {row["vcpu"] for row in result.rows} == {1}
    one = {key: n // 2 for key, n in vendor.expected(result.operations()).items()}
    seen = counted(result)
    assert {key: seen[key] for key in one} == one


@pytest.mark.hosts("svm")
def test_what_finds_no_room_is_counted_as_lost(findings: Findings, vendor: Vendor) -> None:
    result = of(findings("full"))
    seen = counted(result)
    assert len(seen) == 32
    assert result.lost.keys() == {"map_full"}
    besides = sum(n for key, n in seen.items() if key in vendor.besides)
    taken = sum(operation["count"] for operation in result.operations())
    # What got no row besides is the host's interrupts and the page faults of the start.
    assert taken <= sum(seen.values()) - besides + result.lost["map_full"] <= taken + 10
