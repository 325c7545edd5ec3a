"""`bpfexit.hist/2`: one histogram, one line of JSON.

Each has the labels of the grouping, null if unknown, and `buckets`:
`[lower ns, upper ns (exclusive), count]` for each used bucket, as in `bpfexit.snapshot/2`.
"""

import json
from collections.abc import Iterator, Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import named
from bpfexit.model.distribution import Distribution

SCHEMA = "bpfexit.hist/2"


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield the lines."""
    return map(_line, distributions)


def _line(each: Distribution) -> str:
    document = {
        "schema": SCHEMA,
        **each.labels,
        **(named(each.name) if "address" in each.labels else {}),
        "count": each.count,
        "no_latency": each.exits - each.count,
        "total_ns": each.total_ns if each.count else None,
        "max_ns": each.max_ns if each.count else None,
        "buckets": each.used,
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n"


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format("json", "a line each; integer edges in ns, the upper one exclusive", _encode)
