"""When the snapshots are merged makes no difference to their sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model import histograms, snapshot_sum
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.snapshot_sum import SnapshotSum
from tests.unit.builders import snapshots
from tests.unit.tallies import tally, vcpu_tally


@given(st.lists(snapshots(), min_size=1, max_size=6), st.integers(1, 100_000), st.integers(1, 1000))
def test_chunks_make_no_difference(parts: list[Snapshot], waiting: int, entries: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_sum, "_LEAST_WAITING", waiting)
        patch.setattr(histograms, "ENTRIES_AT_ONCE", entries)
        total = SnapshotSum()
        for part in parts:
            total.add(part)
        found, whole = total.sum(), merged(parts)
    assert total.intervals == len(parts)
    assert tally(found) == tally(whole)
    assert vcpu_tally(found) == vcpu_tally(whole)
    assert (found.lost, found.in_flight, found.start) == (whole.lost, whole.in_flight, whole.start)
    assert found.duration_s == pytest.approx(whole.duration_s)
