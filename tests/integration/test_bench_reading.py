"""What the benchmark of reading measures: rows as they are on an SVM host."""

import numpy as np
import pytest

from tests.bench.filled import EXITS_A_ROW, FilledSource, threads
from tests.bench.reading import PARTS, interval

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_root")

KEYS = 3


def test_an_interval_of_filled_rows_is_measured_in_all_its_parts() -> None:
    with threads(1, 2) as owners:
        source = FilledSource(owners, KEYS)
        source.go_on(np.random.default_rng(1))
        snapshot, cost = interval(source)
    rows = snapshot.rows
    assert set(cost) == set(PARTS)
    assert rows["count"].tolist() == [EXITS_A_ROW] * 2 * KEYS
    assert {snapshot.reasons[reason] for reason in rows["reason"]} == {"io"}
    targets = {(int(row["kind"]), int(row["access"]), int(row["size"])) for row in rows.fields}
    assert targets == {(1, 1, 4)}
