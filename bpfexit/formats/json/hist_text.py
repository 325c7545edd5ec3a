"""Histograms as JSON text: `[16,32,1],[32,48,5]`, lower edge, upper edge, count of each bucket.

An interval may have 300,000 buckets in use, of which those with few exits are mostly alike: their
texts are kept.
"""

import numpy as np
from numpy.typing import NDArray

from bpfexit.formats.json.values import MAX_COUNT
from bpfexit.model.histogram import BUCKETS, LOWER_NS, OVERFLOW
from bpfexit.model.histograms import Histograms

_FEW = 255
"""Texts of smaller counts are kept: at most 32,000, of some 70 bytes each."""

_texts = np.full((BUCKETS, _FEW + 1), "", object).ravel()
_lengths = np.zeros(len(_texts), np.intp)
"""Of bucket and count, as `_index` says; 0 before it is needed, and what is not kept."""


def histogram_texts(hist: Histograms, max_ns: NDArray[np.uint64]) -> list[str]:
    """Return the text of each histogram; the last bucket ends at its maximum, shape (n,)."""
    index = _index(hist)
    lengths = _lengths[index]
    if not lengths.all():
        _keep(np.unique(index[lengths == 0]))
        lengths = _lengths[index]
    texts, others = _texts[index], lengths == 0
    if others.any():
        texts[others] = made = _made(hist.where(others), max_ns)
        lengths[others] = [*map(len, made)]
    text = "".join(texts.tolist())
    ends = np.append(0, lengths.cumsum())[hist.starts]
    first, end = ends[:-1], ends[1:] - (ends[1:] > ends[:-1])  # without the last one's comma
    return [text[begin:stop] for begin, stop in zip(first.tolist(), end.tolist(), strict=True)]


def _index(hist: Histograms) -> NDArray[np.uint16]:
    """Return the index of each bucket's text among those kept, if it is."""
    few = np.minimum(hist.count, _FEW).astype(np.uint16)
    index: NDArray[np.uint16] = hist.bucket.astype(np.uint16) * np.uint16(_FEW + 1) + few
    return index


def _keep(indexes: NDArray[np.uint16]) -> None:
    """Make the texts at these indexes, each with a comma at its end, but for those of many."""
    for index in indexes.tolist():
        bucket, count = divmod(index, _FEW + 1)
        if bucket < OVERFLOW and count < _FEW:
            _texts[index] = f"[{LOWER_NS[bucket]},{LOWER_NS[bucket + 1]},{count}],"
            _lengths[index] = len(_texts[index])


def _made(hist: Histograms, max_ns: NDArray[np.uint64]) -> list[str]:
    """Return the text of each bucket, of any count."""
    numbers = np.minimum(hist.buckets(max_ns), np.uint64(MAX_COUNT))
    return [f"[{low},{high},{count}]," for low, high, count in numbers.tolist()]
