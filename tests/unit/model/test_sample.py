"""What the kernel's arrays held twice becomes what happened in between."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.events.pio import PIO
from bpfexit.events.registry import KINDS
from bpfexit.model import sample
from bpfexit.model.histogram import BUCKETS, LOWER_NS, OVERFLOW
from bpfexit.model.rows import NO_REASON
from bpfexit.model.sample import (
    Difference,
    difference,
    joined_differences,
    name_owners,
    name_reasons,
    rows_by_name,
)
from bpfexit.names.reasons import BUILT_IN, NO_EXIT, Isa
from tests.unit import wire

ROW, VCPU = wire.struct("row"), wire.struct("vcpu")
C = wire.defines()


def vcpus(*isas: Isa) -> Any:
    """Return vCPUs 0, 1, ... of process 500, threads 600, 601, ..."""
    array = np.zeros(len(isas), VCPU)
    array["isa"] = isas
    array["vcpu_id"] = range(len(isas))
    array["owner"] = [500 << 32 | 600 + at for at in range(len(isas))]
    return array


def packed(slot: int, reason: int, kind: int = 0, access: int = 0, size: int = 0) -> int:
    """Return `row.packed_key` as the programs pack it; `access` is ACCESS_READ or _WRITE."""
    return (
        reason << C["REASON_SHIFT"]
        | (slot + 1) << C["SLOT_SHIFT"]
        | size << C["SIZE_SHIFT"]
        | access
        | kind
    )


def rows(*packed_keys: int) -> Any:
    array = np.zeros(len(packed_keys), ROW)
    array["packed_key"] = packed_keys
    return array


def since(before: Any, after: Any, vcpus: Any) -> Difference:
    """Return what happened from one copy of the rows to the next, with the owners' names."""
    diff = difference(before, after)
    name_owners(diff, vcpus)
    return diff


def of(rows: Any, vcpus: Any) -> Difference:
    """Return what happened since the rows were zeros."""
    return since(np.zeros_like(rows), rows, vcpus)


def count(row: Any, *ns: int) -> None:
    """Count exits of these latencies, as `count_exit` of rows.h does."""
    for each in ns:
        row["seq"] += 2
        row["total_ns"] += each
        row["max_ns"] = max(int(row["max_ns"]), each)
        bucket = int(np.searchsorted(LOWER_NS, each, side="right")) - 1
        row["hist"][bucket] = (int(row["hist"][bucket]) + 1) % 2**32


def test_the_constants_are_those_of_the_programs() -> None:
    for name in ("SLOT_SHIFT", "SIZE_SHIFT", "SIZE_MASK", "REASON_SHIFT"):
        assert getattr(sample, name) == C[name]
    assert C["KIND_MASK"] == sample.KIND_MASK
    assert C["ACCESS_READ"] == Access.READ << sample.ACCESS_SHIFT
    assert C["ACCESS_WRITE"] == Access.WRITE << sample.ACCESS_SHIFT
    assert max(KINDS) <= sample.KIND_MASK < C["ACCESS_READ"]
    access = (
        sample.SIZE_MASK << sample.SIZE_SHIFT
        | sample.ACCESS_MASK << sample.ACCESS_SHIFT
        | sample.KIND_MASK
    )
    assert access == C["ACCESS_MASK"] < 1 << sample.SLOT_SHIFT
    assert (sample.SLOT_MASK + 1) << sample.SLOT_SHIFT == 1 << sample.REASON_SHIFT


def test_the_row_has_room_for_all_buckets() -> None:
    assert ROW["hist"].shape[0] >= BUCKETS
    assert ROW.itemsize % 8 == VCPU.itemsize % 8 == 0


@given(
    st.integers(0, sample.SLOT_MASK - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from(list(KINDS.values())),
    st.sampled_from([0, C["ACCESS_READ"], C["ACCESS_WRITE"]]),
    st.integers(0, C["SIZE_MASK"]),
    st.integers(0, 2**64 - 1),
)
def test_what_is_packed_is_unpacked(
    slot: int, reason: int, kind: Kind, access: int, size: int, address: int
) -> None:
    after = rows(packed(slot, reason, kind, access, size))
    after["target"] = address
    after["seq"] = 2
    # A million vCPUs that are one in memory.
    many = np.broadcast_to(vcpus(Isa.VMX), slot + 1)
    found = of(after, many)
    assert found.slots.tolist() == [slot]
    assert found.codes.tolist() == [reason]
    row = found.rows.fields[0]
    assert (row["kind"], row["access"] << sample.ACCESS_SHIFT, row["size"]) == (kind, access, size)
    assert row["address"] == address
    assert (row["pid"], row["tid"]) == (500, 600)


def test_the_first_difference_is_all_there_is() -> None:
    after = rows(packed(1, 30))
    count(after[0], 100, 3000)
    found = of(after, vcpus(Isa.VMX, Isa.VMX)).rows
    row = found.fields[0]
    assert (row["count"], row["timed"], row["total_ns"], row["max_ns"]) == (2, 2, 3100, 3000)
    assert (row["tid"], row["vcpu"], row["isa"]) == (601, 1, Isa.VMX)
    assert found.hist.totals().tolist() == [2]


LATENCIES = st.lists(st.integers(0, 2**37), max_size=5)


@given(LATENCIES, LATENCIES)
def test_a_difference_is_what_came_in_between(first: list[int], second: list[int]) -> None:
    array = rows(packed(0, 30))
    count(array[0], *first)
    before = array.copy()
    array["max_ns"] = 0  # as user space starts a new maximum
    count(array[0], *second)
    found = since(before, array, vcpus(Isa.VMX)).rows
    row = found.fields[0]
    assert (row["count"], row["timed"]) == (len(second), len(second))
    assert (row["total_ns"], row["max_ns"]) == (sum(second), max(second, default=0))


def test_bucket_counters_wrap() -> None:
    old = rows(packed(0, 1))
    old["hist"][0, 5] = 2**32 - 1
    new = old.copy()
    count(new[0], int(LOWER_NS[5]), int(LOWER_NS[5]))
    assert new["hist"][0, 5] == 1
    found = since(old, new, vcpus(Isa.VMX)).rows
    assert found.hist.dense()[0, 5] == found.hist.totals()[0] == 2
    assert found["timed"][0] == found["count"][0] == 2


def test_exits_without_a_latency_are_counted_not_timed() -> None:
    new = rows(packed(0, 1))
    new["seq"], new["no_latency"] = 6, 3
    new["user_count"], new["user_ns"] = 1, 4000
    row = of(new, vcpus(Isa.NONE)).rows.fields[0]
    assert (row["count"], row["timed"], row["max_ns"]) == (3, 0, 0)
    assert (row["user_count"], row["user_ns"]) == (1, 4000)


@pytest.mark.parametrize("bucket", [0, 1, 77, OVERFLOW])
def test_a_maximum_that_was_missed_is_bounded_by_its_bucket(bucket: int) -> None:
    new = rows(packed(0, 1))
    new["seq"] = 4
    new["hist"][0, [0, bucket]] += np.uint32(1)
    assert of(new, vcpus(Isa.VMX)).rows["max_ns"][0] == LOWER_NS[bucket]


def test_reasons_get_the_names_of_their_vendor() -> None:
    new = rows(packed(0, 12), packed(1, 0x78), packed(2, 99), packed(0, 12 | 1 << 31))
    new["seq"], new["no_latency"] = 2, 1
    diff = of(new, vcpus(Isa.VMX, Isa.SVM, Isa.NONE))
    names = name_reasons(diff, BUILT_IN)
    places = diff.rows["reason"].tolist()
    assert [names[place] for place in places if place != NO_REASON] == [
        "HLT",
        "hlt",
        "HLT FAILED_VMENTRY",
    ]
    assert places[2] == NO_REASON


def test_codes_that_share_a_name_share_its_place() -> None:
    # Flags beside the code: another `packed_key`, the same reason.
    new = rows(packed(0, 12), packed(0, 12 | 1 << 27))
    new["seq"], new["no_latency"] = 2, 1
    diff = of(new, vcpus(Isa.VMX))
    assert name_reasons(diff, BUILT_IN) == ("HLT",)
    assert diff.rows["reason"].tolist() == [0, 0]


def test_codes_that_share_a_name_share_a_row() -> None:
    new = rows(packed(0, 12), packed(1, 12), packed(0, 10), packed(0, 12 | 1 << 27))
    for row, ns in zip(new, (100, 200, 300, 400), strict=True):
        count(row, ns, ns)
    diff = of(new, vcpus(Isa.VMX, Isa.VMX))
    names = name_reasons(diff, BUILT_IN)
    found = rows_by_name(diff)
    pairs = {(names[row["reason"]], row["vcpu"]): row for row in found.fields}
    assert {key: (row["count"], row["total_ns"], row["max_ns"]) for key, row in pairs.items()} == {
        ("HLT", 0): (4, 1000, 400),
        ("HLT", 1): (2, 400, 200),
        ("CPUID", 0): (2, 600, 300),
    }
    assert len(found) == len(pairs)
    assert found.hist.totals().sum() == 8


def test_rows_of_different_names_stay_as_they_are() -> None:
    new = rows(packed(0, 12), packed(0, 10), packed(0, NO_EXIT, PIO, C["ACCESS_READ"], 1))
    new["seq"], new["no_latency"] = 2, 1
    diff = of(new, vcpus(Isa.VMX))
    assert set(name_reasons(diff, BUILT_IN)) == {"HLT", "CPUID"}
    assert rows_by_name(diff) is diff.rows
    assert diff.rows["reason"].tolist().count(NO_REASON) == 1


def test_nothing_at_all_is_no_difference() -> None:
    for diff in (of(rows(), vcpus()), joined_differences([])):
        assert len(diff.rows) == 0
        assert name_reasons(diff, BUILT_IN) == ()


def test_differences_are_joined_in_order() -> None:
    first, second = rows(packed(0, 7)), rows(packed(1, 8), packed(0, 9))
    count(first[0], 100)
    count(second[1], 200, 300)
    parts = [difference(np.zeros_like(part), part) for part in (first, second)]
    both = joined_differences(parts)
    assert both.codes.tolist() == [7, 8, 9]
    assert both.slots.tolist() == [0, 1, 0]
    assert both.rows["total_ns"].tolist() == [100, 0, 500]
    assert both.rows.hist.totals().tolist() == [1, 0, 2]
