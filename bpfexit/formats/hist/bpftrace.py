"""The shape of `bpftrace -f json`: one map of histograms, bounds in ns, both inclusive.

As in bpftrace, a histogram goes from its first used bucket to its last, and a key of
several parts has commas between them.
"""

import json
from collections.abc import Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import paths
from bpfexit.model.distribution import Bucket, Distribution

MAP = "@exit_ns"


def encode(distributions: Sequence[Distribution]) -> str:
    """Return the one line."""
    named = zip(paths(distributions), distributions, strict=True)
    data = {",".join(path): [_bucket(each) for each in item.span] for path, item in named}
    return json.dumps({"type": "hist", "data": {MAP: data}}) + "\n"


def _bucket(bucket: Bucket) -> dict[str, int]:
    return {"min": bucket.lower, "max": bucket.upper - 1, "count": bucket.exits}


def _encode(distributions: Sequence[Distribution], choice: Choice) -> str:
    del choice
    return encode(distributions)


FORMAT = Format(
    "bpftrace", "as `bpftrace -f json` prints; bounds inclusive; no sums", _encode, log2=True
)
