"""The text of histograms is what the standard library makes of their buckets."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bpfexit.formats.json import hist_text as module
from bpfexit.formats.json.hist_text import histogram_texts
from bpfexit.formats.json.values import MAX_COUNT
from bpfexit.model.histogram import BUCKETS, OVERFLOW
from bpfexit.model.histograms import Histograms

COUNTS = st.one_of(st.integers(0, 3), st.integers(250, 260), st.integers(0, 2**64 - 1))
BUCKET_COUNTS = st.dictionaries(st.sampled_from([0, 1, 40, OVERFLOW - 1, OVERFLOW]), COUNTS)


def plain(hist: Histograms, max_ns: NDArray[np.uint64]) -> list[str]:
    entries: list[list[list[int]]] = [[] for _ in range(len(hist))]
    for row, entry in zip(hist.row.tolist(), hist.buckets(max_ns).tolist(), strict=True):
        entries[row].append([min(number, MAX_COUNT) for number in entry])
    return [json.dumps(each, separators=(",", ":"))[1:-1] for each in entries]


@given(st.lists(BUCKET_COUNTS, max_size=5), st.sampled_from([0, 2**36, 2**63 - 1]))
def test_it_is_the_plain_text(rows: list[dict[int, int]], max_ns: int) -> None:
    counts = np.zeros((len(rows), BUCKETS), np.uint64)
    for row, of_row in enumerate(rows):
        for bucket, count in of_row.items():
            counts[row, bucket] = count
    hist = Histograms.of(counts)
    maxima = np.full(len(rows), max_ns, np.uint64)
    assert histogram_texts(hist, maxima) == plain(hist, maxima)


def test_every_text_that_is_kept_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_texts", np.full(len(module._texts), "", object))
    monkeypatch.setattr(module, "_lengths", np.zeros(len(module._lengths), np.intp))
    counts = np.zeros((258, BUCKETS), np.uint64)
    counts[:] = np.arange(258)[:, None]
    hist, maxima = Histograms.of(counts), np.full(258, 2**40, np.uint64)
    for _ in range(2):
        assert histogram_texts(hist, maxima) == plain(hist, maxima)
    assert np.count_nonzero(module._lengths) == 124 * 254
