"""The table of event counts: a heading per process, its events below. No I/O."""

import time
from collections.abc import Iterator
from itertools import groupby

from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.event_counts import EventCount, EventInterval, Owner, Source
from bpfexit.model.text import clean

_GAP = "  "


def lines(interval: EventInterval, *, with_zeros: bool = False) -> Iterator[Text]:
    """Yield the lines of one interval; counters at zero only on request."""
    shown = [count for count in interval.counts if with_zeros or _is_active(count)]
    yield _heading(interval)
    if interval.lost:
        yield Text(f"lost: {numbers.count(interval.lost)} events, in no counter", "bold red")
    yield from (Text(notice, "yellow") for notice in interval.notices)
    titles = ("event", "per s", "count", "total", "source")
    rows = {count: _cells(interval, count) for count in shown}
    widths = [max(map(len, column)) for column in zip(titles, *rows.values(), strict=True)]
    yield Text(_line(titles, widths), "reverse")
    shown.sort(key=lambda count: not count.key.owner.is_guest)
    for process, counts in groupby(shown, key=lambda count: _process(count.key.owner)):
        yield Text(process, "bold")
        for count in sorted(counts, key=_order):
            yield Text(_line(rows[count], widths))
    if hidden := len(interval.counts) - len(shown):
        yield Text(f"{numbers.count(hidden)} more at zero (-a shows all)", "dim")


def _is_active(count: EventCount) -> bool:
    """Return whether anything happened, or a gauge is not at zero."""
    return bool(count.total if count.count is None else count.count)


def _order(count: EventCount) -> tuple[bool, int, str]:
    """Order by count, largest first; gauges come last."""
    return count.count is None, -(count.count or 0), count.key.event


def _heading(interval: EventInterval) -> Text:
    end = time.strftime("%H:%M:%S", time.localtime(interval.start + interval.duration_s))
    owners = {count.key.owner for count in interval.counts if count.key.owner.is_guest}
    guests = len({(owner.name, owner.pid) for owner in owners})
    plural = "guest" if guests == 1 else "guests"
    return Text(f"events  {guests} {plural}  {interval.duration_s:.2f} s  {end}", "bold")


def _process(owner: Owner) -> str:
    name = clean(owner.name)
    if not owner.pid:
        return name
    return f"{name} ({owner.pid})" if owner.is_guest else f"{name} ({owner.pid}, not a guest)"


def _cells(interval: EventInterval, count: EventCount) -> tuple[str, ...]:
    rate = interval.per_s(count)
    return (
        f"{_GAP}{clean(count.key.event)}",
        "" if rate is None else numbers.rate(rate),
        "" if count.count is None else numbers.count(count.count),
        "" if count.total is None else numbers.count(count.total),
        "" if count.key.source is Source.COUNTER else count.key.source.value,
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    event, *numbers_, source = cells
    middle = (cell.rjust(width) for cell, width in zip(numbers_, widths[1:-1], strict=True))
    return _GAP.join([event.ljust(widths[0]), *middle, source]).rstrip()
