"""Folded stacks, `guest;vCPU;reason;access number`: for flamegraph.pl, inferno and speedscope.

Semicolons separate frames and the last blank precedes the number, so in a name they
become a colon and an underscore; other control characters are escaped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import with_paths
from bpfexit.model.distribution import Distribution


def encode(
    distributions: Sequence[Distribution], weight: Callable[[Distribution], int]
) -> Iterator[str]:
    """Yield a line per stack with a weight above 0; equal stacks are merged."""
    stacks: Counter[str] = Counter()
    for path, distribution in with_paths(distributions):
        stacks[";".join(map(_frame, path))] += weight(distribution)
    yield from (f"{stack} {number}\n" for stack, number in stacks.items() if number)


def by_count(distribution: Distribution) -> int:
    """Weigh by exits, including idle ones and those without a latency."""
    return distribution.exits


def by_time(distribution: Distribution) -> int:
    """Weigh by time in ns; the time in which the guest is idle is not a cost."""
    return 0 if distribution.idle else distribution.total_ns


def _frame(name: str) -> str:
    return name.replace(";", ":").replace(" ", "_")


def _encode(distributions: Sequence[Distribution], choice: Choice) -> Iterator[str]:
    return encode(distributions, by_time if choice.weight == "time" else by_count)


def _needs_latencies(choice: Choice) -> bool:
    return choice.weight == "time"


FORMAT = Format(
    "folded",
    "stacks guest;vCPU;reason;access for flame graphs; no latencies, only a weight",
    _encode,
    takes=("weight",),
    needs_latencies=_needs_latencies,
    groups=("vm", "vcpu", "reason"),
)
