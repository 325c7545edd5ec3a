"""OpenMetrics 1.0 text: one histogram family in seconds, a series for each group.

`le` is inclusive, but a bucket of bpfexit excludes its upper edge; latencies are
whole nanoseconds, so `le` is one nanosecond below the edge. Every series has every
bucket, so that series can be added up and compared over time.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import address, named
from bpfexit.model.distribution import Distribution
from bpfexit.model.text import printable

NAME = "bpfexit_exit_duration_seconds"
_HEAD = f"""\
# TYPE {NAME} histogram
# UNIT {NAME} seconds
# HELP {NAME} Time from kvm_exit to kvm_entry.
"""


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield the whole exposition, `# EOF` included."""
    yield _HEAD
    for distribution in distributions:
        yield from _series(distribution)
    yield "# EOF\n"


def _series(distribution: Distribution) -> Iterator[str]:
    labels = [f'{name}="{_escaped(text)}"' for name, text in _texts(distribution)]
    bounds = [*(_seconds(bucket.upper - 1) for bucket in distribution.buckets[:-1]), "+Inf"]
    for bound, so_far in zip(bounds, accumulate(distribution.counts.tolist()), strict=True):
        pairs = ",".join([*labels, f'le="{bound}"'])
        yield f"{NAME}_bucket{{{pairs}}} {so_far}\n"
    braced = f"{{{','.join(labels)}}}" if labels else ""
    yield f"{NAME}_count{braced} {distribution.count}\n"
    seconds, ns = divmod(distribution.total_ns, 10**9)
    yield f"{NAME}_sum{braced} {seconds}.{ns:09d}\n"


def _texts(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """Yield names and texts; an unknown label is left out, which means empty."""
    labels = distribution.labels
    for name, value in (*labels.items(), *named(distribution.name).items()):
        if name == "address" and isinstance(value, int):
            yield name, address(str(labels["kind"]), value)
        elif value is not None:
            yield name, printable(str(value))


def _escaped(text: str) -> str:
    """Escape a label as OpenMetrics does; line breaks are escaped already."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _seconds(ns: int) -> str:
    """Return the shortest decimal in seconds that Go and Python read as these nanoseconds."""
    return repr(ns / 1e9)


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format("openmetrics", "cumulative buckets in seconds, `le` inclusive", _encode, log2=True)
