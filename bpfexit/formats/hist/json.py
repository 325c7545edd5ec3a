"""`bpfexit.hist/2`: one histogram, one line of JSON.

Each has the labels of the grouping, null if unknown, and `buckets`:
`[lower ns, upper ns (exclusive), count]` for each used bucket, as in `bpfexit.snapshot/2`.
"""

from collections.abc import Iterator, Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.json.text import line_of
from bpfexit.formats.names import named
from bpfexit.model.distribution import Distribution

SCHEMA = "bpfexit.hist/2"


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield the lines."""
    return map(_line, distributions)


def _line(distribution: Distribution) -> str:
    document = {
        "schema": SCHEMA,
        **distribution.labels,
        **(named(distribution.name) if "address" in distribution.labels else {}),
        "count": distribution.count,
        "no_latency": distribution.exits - distribution.count,
        "total_ns": distribution.total_ns if distribution.count else None,
        "max_ns": distribution.max_ns if distribution.count else None,
        "buckets": distribution.used,
    }
    return line_of(document) + "\n"


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format("json", "a line each; integer edges in ns, the upper one exclusive", _encode)
