"""The shape of `bpftrace -f json`: one map of histograms, bounds in ns, both inclusive.

As in bpftrace, a histogram goes from its first used bucket to its last, and a key of
several parts has commas between them.
"""

import json
from collections.abc import Iterator, Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import with_paths
from bpfexit.model.distribution import Bucket, Distribution

MAP = "@exit_ns"


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield the one line."""
    yield f'{{"type": "hist", "data": {{"{MAP}": {{'
    between = ""
    for path, distribution in with_paths(distributions):
        buckets = [*map(_bucket, distribution.span)]
        yield f"{between}{json.dumps(','.join(path))}: {json.dumps(buckets)}"
        between = ", "
    yield "}}}\n"


def _bucket(bucket: Bucket) -> dict[str, int]:
    return {"min": bucket.lower, "max": bucket.upper - 1, "count": bucket.exits}


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format(
    "bpftrace", "as `bpftrace -f json` prints; bounds inclusive; no sums", _encode, log2=True
)
