"""Histograms of stars, as bcc and bpftrace print them; no line is wider than 80 columns.

Edges have three digits; a bucket includes its lower edge and excludes its upper one,
which is the next bucket's lower edge.
"""

from collections.abc import Iterator, Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import Path, with_paths
from bpfexit.model.distribution import Distribution

WIDTH = 80
_STARS = 40
_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"))


def encode(distributions: Sequence[Distribution]) -> Iterator[str]:
    """Yield a title and the rows of each histogram that is not empty, a blank line between."""
    between = ""
    for path, distribution in with_paths(distributions):
        if distribution.count:
            yield between + _histogram(path, distribution)
            between = "\n"


def _histogram(path: Path, distribution: Distribution) -> str:
    span = distribution.span
    largest = max(bucket.exits for bucket in span)
    digits = max(9, len(f"{largest:,}"))
    room = min(_STARS, WIDTH - digits - 26)
    lines = [_title(path, distribution)]
    for lower, upper, count in span:
        stars = "*" * (count * room // largest)
        edges = f"{_time(lower):>7} -> {_time(upper):<7}"
        lines.append(f"  {edges} : {count:>{digits},} |{stars:<{room}}|")
    return "".join(f"{line}\n" for line in lines)


def _title(path: Path, distribution: Distribution) -> str:
    mean, largest = _time(distribution.total_ns / distribution.count), _time(distribution.max_ns)
    numbers = f"  {distribution.count:,} exits, mean {mean}, max {largest}"
    name, room = " ".join(path), WIDTH - len(numbers)
    return (name if len(name) <= room else f"{name[: room - 3]}...") + numbers


def _time(ns: float) -> str:
    for size, unit in _UNITS:
        if ns >= size * 0.9995:
            value = ns / size
            return f"{value:.3g}{unit}" if value < 999.5 else f"{value:.0f}{unit}"
    return f"{ns:.0f}ns"


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    del choice
    return encode(distributions)


FORMAT = Format("text", "stars; edges in three digits", _encode, log2=True)
