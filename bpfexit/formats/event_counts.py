"""Counts of events as JSON lines, `bpfexit.events/2`, and as lines of CSV."""

from collections.abc import Iterator

from bpfexit.formats.csv_lines import csv_line
from bpfexit.formats.json.text import line_of
from bpfexit.model.event_counts import EventCount, EventInterval

SCHEMA = "bpfexit.events/2"

HEADING = csv_line(
    ("time", "process", "pid", "guest", "source", "event", "count", "per_s", "total")
)
"""The first line of CSV."""


def json_line(interval: EventInterval) -> str:
    """Return an interval as a line of JSON, with its newline."""
    document = {
        "schema": SCHEMA,
        "start": interval.start,
        "duration_s": interval.duration_s,
        "lost": interval.lost,
        "notices": interval.notices,
        "events": [_event(interval, count) for count in interval.counts],
    }
    return line_of(document) + "\n"


def _event(interval: EventInterval, count: EventCount) -> dict[str, object]:
    owner = count.key.owner
    return {
        "process": owner.name,
        "pid": owner.pid or None,
        "guest": owner.is_guest,
        "vm_id": owner.vm or None,
        "source": count.key.source.value,
        "event": count.key.event,
        "count": count.count,
        "per_s": interval.per_s(count),
        "total": count.total,
    }


def csv_lines(interval: EventInterval) -> Iterator[str]:
    """Yield a line per counter; `time` is the end of the interval, unix time in s."""
    time = f"{interval.start + interval.duration_s:.3f}"
    for count in interval.counts:
        owner, rate = count.key.owner, interval.per_s(count)
        yield csv_line(
            (
                time,
                owner.name,
                owner.pid or None,
                "yes" if owner.is_guest else "no",
                count.key.source.value,
                count.key.event,
                count.count,
                None if rate is None else round(rate, 3),
                count.total,
            )
        )
