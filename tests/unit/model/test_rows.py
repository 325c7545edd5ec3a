"""Grouping adds up what agrees, as a dict in plain Python does."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model.histogram import BUCKETS
from bpfexit.model.rows import FIELDS, IDENTITY, SUMS, Rows, joined, no_rows
from tests.unit.builders import counted, snapshots

NAMES = st.lists(st.sampled_from(IDENTITY), unique=True).map(tuple)
Key = tuple[int, ...]


def key(rows: Rows, at: int, names: Sequence[str]) -> Key:
    return tuple(int(rows[name][at]) for name in names)


def naive(rows: Rows, names: Sequence[str]) -> dict[Key, list[int]]:
    """Return for each group its sums, its maximum and its histogram, one after another."""
    found: dict[Key, list[int]] = {}
    counts = rows.hist.dense().tolist()
    for at in range(len(rows)):
        sums = found.setdefault(key(rows, at, names), [0] * (len(SUMS) + 1 + BUCKETS))
        largest = max(sums[len(SUMS)], int(rows["max_ns"][at]))
        values = [int(rows[name][at]) for name in SUMS] + [0] + counts[at]
        sums[:] = [a + b for a, b in zip(sums, values, strict=True)]
        sums[len(SUMS)] = largest
    return found


def as_naive(sums: Rows, names: Sequence[str]) -> dict[Key, list[int]]:
    counts = sums.hist.dense().tolist()
    return {
        key(sums, at, names): [
            *(int(sums[name][at]) for name in SUMS),
            int(sums["max_ns"][at]),
            *counts[at],
        ]
        for at in range(len(sums))
    }


@given(snapshots().map(lambda snapshot: snapshot.rows), NAMES)
def test_sums_are_those_of_a_dict(rows: Rows, names: tuple[str, ...]) -> None:
    sums, place = rows.summed_by(names)
    assert as_naive(sums, names) == naive(rows, names)
    assert len(sums) == len(naive(rows, names))
    assert [key(sums, at, names) for at in place] == [
        key(rows, at, names) for at in range(len(rows))
    ]


@given(snapshots().map(lambda snapshot: snapshot.rows), NAMES)
def test_sums_are_in_the_order_of_the_fields(rows: Rows, names: tuple[str, ...]) -> None:
    sums, _ = rows.summed_by(names)
    keys = [key(sums, at, names) for at in range(len(sums))]
    assert keys == sorted(keys)


@given(snapshots().map(lambda snapshot: snapshot.rows), NAMES)
def test_grouping_leaves_the_rows_as_they_were(rows: Rows, names: tuple[str, ...]) -> None:
    fields, hist = rows.fields.copy(), rows.hist.dense()
    rows.summed_by(names)
    assert (rows.fields == fields).all()
    assert (rows.hist.dense() == hist).all()


def test_no_rows_have_no_sums() -> None:
    sums, place = no_rows().summed_by(("vm",))
    assert len(sums) == len(place) == 0


def test_joining_keeps_order_and_takes_nothing_too() -> None:
    first, second = no_rows(1), Rows(no_rows(2).fields, counted(2, {(1, 7): 9}))
    first.fields["count"] = 1
    second.fields["count"] = [2, 3]
    rows = joined([first, no_rows(), second])
    assert rows["count"].tolist() == [1, 2, 3]
    assert rows.hist.dense()[2, 7] == rows.hist.dense().sum() == 9
    assert len(joined([])) == len(joined([]).hist) == 0


def test_rows_are_taken_by_mask_and_by_place() -> None:
    rows = Rows(no_rows(3).fields, counted(3, {(0, 1): 50, (1, 1): 60, (2, 0): 70, (2, 9): 71}))
    rows.fields["address"] = [5, 6, 7]
    masked, placed = rows.take(np.array([True, False, True])), rows.take(np.array([2, 0]))
    assert masked["address"].tolist() == [5, 7]
    assert masked.hist.totals().tolist() == [50, 141]
    assert placed["address"].tolist() == [7, 5]
    assert placed.hist.totals().tolist() == [141, 50]


def test_identity_and_sums_are_fields() -> None:
    assert FIELDS.names is not None
    # The class follows from others, and is filled where a view is grouped by it.
    assert {*IDENTITY, *SUMS, "max_ns", "class"} == set(FIELDS.names)
