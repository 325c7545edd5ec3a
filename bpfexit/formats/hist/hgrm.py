"""HdrHistogram's percentile text (`.hgrm`), which its plotter opens; values in ns.

Rows are those of HdrHistogram's own iterator with five ticks per half of the distance
to 100 %. A value is the largest of its bucket, at most the maximum. Mean and maximum are
exact, the deviation is that of the buckets' middles, and counts within a bucket, or
between two rows, are not distinguished.
"""

from collections.abc import Iterator, Sequence
from math import sqrt

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.hist.format import Choice, Format
from bpfexit.model.distribution import Bucket, Distribution
from bpfexit.model.histogram import SUB_BUCKETS

_TICKS = 5
_HEADER = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"


def encode(distribution: Distribution) -> str:
    """Return the whole file; the histogram must not be empty."""
    mean = distribution.total_ns / distribution.count
    footer = (
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {_deviation(distribution, mean):12.3f}]\n"
        f"#[Max     = {distribution.max_ns:12.3f}, Total count    = {distribution.count:12d}]\n"
        f"#[Buckets = {len(distribution.edges_ns):12d}, SubBuckets     = {SUB_BUCKETS:12d}]\n"
    )
    return _HEADER + "".join(_rows(distribution)) + footer


def _rows(distribution: Distribution) -> Iterator[str]:
    used, total = distribution.used, distribution.count
    index, so_far = 0, used[0].exits
    for step in range(_TICKS * 64):  # 64 halves: a 64-bit count has no finer share
        beyond = _beyond(step)
        while total - so_far > beyond * total:
            index += 1
            so_far += used[index].exits
        value = _largest(used[index], distribution.max_ns)
        yield f"{value:12.3f} {1 - beyond:2.12f} {so_far:10d} {1 / beyond:14.2f}\n"
        if so_far == total:
            break
    yield f"{_largest(used[-1], distribution.max_ns):12.3f} {1:2.12f} {total:10d}\n"


def _beyond(step: int) -> float:
    """Return the share of the samples above the percentile of a row, in closed form."""
    halves, tick = divmod(step, _TICKS)
    return float((1 - tick / (2 * _TICKS)) / 2**halves)


def _largest(bucket: Bucket, max_ns: int) -> int:
    return min(bucket.upper - 1, max(max_ns, bucket.lower))


def _deviation(distribution: Distribution, mean: float) -> float:
    squares = sum(
        count * ((lower + upper) / 2 - mean) ** 2 for lower, upper, count in distribution.used
    )
    return sqrt(squares / distribution.count)


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    """Encode the only histogram. Raises `BpfexitError` for none, `UsageError` for several."""
    del choice
    if not distributions:
        raise BpfexitError("the format hgrm needs a histogram, and no exit has a latency")
    if len(distributions) > 1:
        raise UsageError(
            f"the format hgrm takes one histogram, not {len(distributions)}: "
            "choose one with --by and --reason, or take the first with -n 1"
        )
    yield encode(distributions[0])


FORMAT = Format(
    "hgrm",
    "HdrHistogram's percentiles, ns; one histogram only, and values no finer than a bucket",
    _encode,
)
