"""Comma-separated values: a header, then one line for each bucket in use.

`lower_ns` is in the bucket, `upper_ns` is not. A label that is not grouped by,
or is unknown, is empty; addresses are in decimal. `name` is the device's, `named_by` its source.
An apostrophe precedes a text that a spreadsheet would evaluate as a formula.
"""

from collections.abc import Iterator, Sequence

from bpfexit.formats.csv_lines import csv_line
from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import named
from bpfexit.model.distribution import LABELS, Distribution

_FIRST = tuple(name for name in LABELS if name != "class")
HEADER = (*_FIRST, "lower_ns", "upper_ns", "count", "name", "named_by", "class")
"""A column that comes later stands last: scripts count columns."""


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield the header and the lines."""
    yield csv_line(HEADER)
    for distribution in distributions:
        labels = [distribution.labels.get(name) for name in _FIRST]
        last = (*named(distribution.name).values(), distribution.labels.get("class"))
        for bucket in distribution.used:
            yield csv_line([*labels, *bucket, *last])


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format("csv", "a line per bucket, edges as in json", _encode)
