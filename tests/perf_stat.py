"""perf's own counts of events, on all CPUs: what another user of the same events sees."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.counting import next_line, started, write


@contextmanager
def counting(events: Sequence[str], output: Path) -> Iterator[Counter[str]]:
    """Let perf count these events; the counts are there when the context has ended."""
    chosen = [word for event in events for word in ("-e", event)]
    # perf starts its command when it counts: what cat has printed says so.
    with started(["perf", "stat", "-a", "-x,", "-o", str(output), *chosen, "cat"]) as perf:
        write(perf, "counting\n")
        next_line(perf)
        counts: Counter[str] = Counter()
        yield counts
        perf.communicate()
    counts.update(parse(output.read_text()))


def parse(text: str) -> dict[str, int]:
    """Return the counts by event of `perf stat -x,`: count, unit and event come first."""
    lines = (line.split(",") for line in text.splitlines() if "," in line)
    return {fields[2]: int(fields[0]) for fields in lines}
