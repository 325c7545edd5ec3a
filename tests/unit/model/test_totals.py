"""No sum comes round in 64 bits: what does not fit is an error, and what fits is exact."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.errors import BpfexitError
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.formats.json import snapshot_reader
from bpfexit.model.losses import Lost
from bpfexit.model.rows import SUMS
from bpfexit.model.snapshot import Snapshot, merged, times
from bpfexit.model.totals import MAX_SIGNED, MAX_TOTAL, exact_sum
from tests.unit.builders import Exits, pio, snapshot

HALF = 2**63 - 1
"""The largest number that a recording may hold."""


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_sums_are_exact_whatever_their_size(values: list[int]) -> None:
    assert exact_sum(np.array(values, np.uint64)) == sum(values)


def large(name: str, value: int) -> Snapshot:
    """Return a snapshot in which a field of its one row, or its vCPU's guest time, is large."""
    measured = pio(0x70, ns=(5,), wait_ns=1, blocked_ns=1, poll_ns=1)
    found = snapshot(measured, guest_ns=value if name == "guest_ns" else 0)
    for each in ("wait_ns", "blocked_ns", "poll_ns"):
        found.rows.fields[each] = 0
    if name in SUMS:
        found.rows.fields[name] = value
        found.rows.fields["count"] = max(value if name == "timed" else 1, *found.rows["count"])
    return found


FIELDS = [*SUMS, "guest_ns"]


@pytest.mark.parametrize("name", FIELDS)
def test_intervals_that_add_up_to_too_much_are_refused(name: str) -> None:
    is_part = name == "guest_ns"  # which is signed, and has one bit less
    half = HALF // 2 if is_part else HALF
    two = merged([large(name, half), large(name, half)])
    column = two.vcpus[name] if is_part else two.rows[name]
    assert column.tolist() == [2 * half]
    whole = merged([two, large(name, 1)])
    column = whole.vcpus[name] if is_part else whole.rows[name]
    assert exact_sum(column.astype(np.uint64)) == (MAX_SIGNED if is_part else MAX_TOTAL)
    with pytest.raises(BpfexitError, match="exceeds 64 bits"):
        merged([whole, large(name, 1)])


@pytest.mark.parametrize("name", sorted({*FIELDS} - {"timed"}))
def test_a_line_whose_rows_add_up_to_too_much_is_refused(name: str) -> None:
    one = large(name, HALF)
    rows = one.rows.take(np.array([0, 0, 0]))
    if name == "guest_ns":
        rows = one.rows
    three = replace(one, rows=rows, vcpus=np.repeat(one.vcpus, 3))
    line = snapshot_json.encode(three)
    with pytest.raises(BpfexitError, match=f"the sum of {name} exceeds 64 bits"):
        snapshot_reader.decode(line)


def test_times_of_rows_that_fit_are_exact() -> None:
    found = snapshot(Exits("HLT", (5,)), Exits("CPUID", (5,), tid=102))
    found.rows.fields["total_ns"] = [HALF, HALF + 2]
    assert times(found).total == 2 * HALF + 2


def test_losses_have_no_limit() -> None:
    lost = Lost(map_full=2**63, unpaired=2**63)
    whole = merged([replace(snapshot(pio(1, ns=(1,))), lost=lost)] * 4)
    assert (whole.lost.map_full, whole.lost.unpaired) == (2**65, 2**65)
