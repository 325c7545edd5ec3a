"""One reason or address in full: latencies, finding, device, rate, vCPUs, instructions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from bpfexit.advice.diagnosis import diagnose
from bpfexit.advice.finding import Finding
from bpfexit.events.registry import VIEWS
from bpfexit.model import numbers
from bpfexit.model.at_least import slow_ones
from bpfexit.model.columns import BY_KEY
from bpfexit.model.histogram import POWERS_OF_TWO_NS, Counts, quantiles, rebucketed
from bpfexit.model.history import History
from bpfexit.model.scope import Part, narrowed
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean
from bpfexit.model.view import Query, View, default_dimensions, kinds_of, view
from bpfexit.ui.header import plural
from bpfexit.ui.labels import named_by
from bpfexit.ui.screen.body import Segments
from bpfexit.ui.screen.paragraphs import Paragraphs, wrapped
from bpfexit.ui.screen.titles import title_of
from bpfexit.ui.sparkline import sparkline

_BOLD = Style(bold=True)
_DIM = Style(dim=True)
_HEADING = Style(reverse=True)
_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))
_SHOWN = ("count", "rate", "mean", "user", "user_mean")
_ADDRESSES = default_dimensions(has_exit_events=False)
_PLAIN = kinds_of(_ADDRESSES)
"""Kinds of addresses whose reason goes without saying."""

_OF_DEVICES = frozenset(each.kind for each in VIEWS if each.is_platform)
"""Kinds of addresses at which devices lie."""

_MOST = 16
"""vCPUs, addresses and instructions that are listed."""

_WIDEST = 60
"""Columns of the longest bar."""


@dataclass(frozen=True)
class Exits:
    """Some exits: `of` has them alone, `whole` all of the guests that took them.

    `query` has what is wanted of them: the least latency, symbols.
    """

    of: Snapshot
    whole: Snapshot
    part: Part
    query: Query

    def view(self, by: tuple[str, ...], limit: int = 0) -> View:
        """Return them grouped, most exits first."""
        return view(self.of, replace(self.query, by=by, sort="count", limit=limit))


def detail(exits: Exits, history: History, width: int) -> Paragraphs:
    """Return what is known of some exits."""
    if exits.query.than_ns:
        rows = slow_ones(exits.of.rows, exits.query.than_ns)
        exits = replace(exits, of=replace(exits.of, rows=rows))
    lines = [*_numbers(exits), *_latencies(exits.of, width), *_findings(exits, width)]
    lines += [*_device(exits, width), *_course(exits.part, history, width)]
    lines += _listed("vCPUs", exits, ("vcpu",))
    address = exits.part.scope.address
    if address and address.kind not in _PLAIN:
        lines += _listed("reasons", exits, ("reason",))
    if address is None:
        for title, by in _targets(exits.of):
            lines += _listed(title, exits, by)
    heading = [Segment("latency, finding, rate, vCPUs".ljust(width), _HEADING)]
    return Paragraphs(heading, lines)


def _targets(of: Snapshot) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the groupings by what exits were for, as far as it was collected, with titles."""
    yield "addresses", _ADDRESSES
    kinds = set(of.rows["kind"].tolist())
    for each in VIEWS:
        if int(each.kind) in kinds and not each.is_default:
            yield each.help, (each.kind.dimension,)


def _numbers(exits: Exits) -> Iterator[Segments]:
    """Yield the numbers of all of them together, each with its heading."""
    address = exits.part.scope.address
    lines = exits.view(("reason",) if address is None else (address.kind.dimension,)).lines
    if not len(lines):
        yield [Segment("none in this interval", _DIM)]
        return
    values = lines[0].numbers
    cells = [
        (column.title, column.write(values[column.key]))
        for column in map(BY_KEY.get, _SHOWN)
        if column
    ]
    yield [Segment(f"{title} {text}   ") for title, text in cells if text]


def _latencies(of: Snapshot, width: int) -> Iterator[Segments]:
    """Yield the percentiles and a bar for each power of two: a logarithmic axis."""
    counts = of.rows.hist.dense().sum(axis=0)
    if not counts.any():
        yield [Segment("no latencies", _DIM)]
        return
    longest = of.rows["max_ns"].max()
    shares = [share for _, share in _QUANTILES]
    found = quantiles(counts[None], shares, np.array([longest], np.uint64))[:, 0].tolist()
    titles = [*(title for title, _ in _QUANTILES), "max"]
    cells = zip(titles, map(numbers.duration, [*found, float(longest)]), strict=True)
    yield [Segment("   ".join(f"{title} {text}" for title, text in cells), _BOLD)]
    yield []
    yield from _bars(counts, width)
    yield []


def _bars(counts: Counts, width: int) -> Iterator[Segments]:
    sums = rebucketed(counts, POWERS_OF_TWO_NS)
    used = np.flatnonzero(sums)
    most, total = int(sums.max()), int(sums.sum())
    room = max(1, min(width - 40, _WIDEST))
    for place in range(int(used[0]), int(used[-1]) + 1):
        count = int(sums[place])
        bar = "█" * (-(-count * room // most))
        edge = numbers.duration(float(POWERS_OF_TWO_NS[place]))
        share = f"{numbers.share(count / total)}%"
        yield [Segment(f"{edge:>8} │{bar:<{room}} {numbers.count(count):>12} {share:>7}")]


def _course(part: Part, history: History, width: int) -> Iterator[Segments]:
    """Yield the rate in the last minutes, the interval that has just ended at the right."""
    rates = history.course(part)[-max(1, width - 2) :]
    known = [rate for rate in rates if not isnan(rate)]
    if not known:
        return
    seconds = numbers.clock(history.seconds)
    title = (
        f"rate in the last {seconds}: {numbers.rate(min(known))} to {numbers.rate(max(known))}/s"
    )
    yield [Segment(title, _BOLD)]
    yield [Segment(sparkline(rates))]
    yield []


def _listed(title: str, exits: Exits, by: tuple[str, ...]) -> Iterator[Segments]:
    """Yield the lines of another grouping, most exits first."""
    found = exits.view(by, _MOST)
    lines = [line for line in found.lines if line.numbers["count"]]
    if not lines:
        return
    yield [Segment(title, _BOLD)]
    names = [title_of(line, by) for line in lines]
    size = max(map(cell_len, names))
    for name, line in zip(names, lines, strict=True):
        mean = numbers.duration(line.numbers.get("mean", nan))
        rate = f"{numbers.rate(line.numbers['rate']):>9}/s" + (f"   mean {mean}" if mean else "")
        yield [Segment(f"  {name}{' ' * (size - cell_len(name))} {rate}")]
    if found.hidden:
        yield [Segment(f"  {found.hidden} more", _DIM)]
    yield []


def _device(exits: Exits, width: int) -> Iterator[Segments]:
    """Yield what lies at an address, and where that name comes from."""
    address = exits.part.scope.address
    lines = exits.view((address.kind.dimension,), 1).lines if address else ()
    if address and len(lines) and lines[0].name:
        source = "; ".join(named_by(lines))
        title = "device" if address.kind in _OF_DEVICES else "name"
        text = clean(lines[0].name.marked) + (f" ({source})" if source else "")
        first, *others = wrapped(f"{title} {text}", width, 2)
        yield [Segment(title, _BOLD), Segment(first.removeprefix(title))]
        yield from ([Segment(line)] for line in others)
        yield []


def _findings(exits: Exits, width: int) -> Iterator[Segments]:
    """Yield the findings of `bpfexit diagnose` that these exits are part of, each rule once."""
    found: dict[str, list[tuple[str, Finding]]] = {}
    for guest in diagnose(exits.whole).guests:
        for finding in (*guest.findings, *guest.expected):
            if _explains(finding, exits.whole, exits.part):
                found.setdefault(finding.rule, []).append((clean(guest.vm), finding))
    for rule, of_guests in found.items():
        (vm, finding), others = of_guests[0], len(of_guests) - 1
        who = f"{vm} and {plural(others, 'more guest')}: " if others else ""
        title = f"finding {who}{clean(finding.advice.title, 512)}"
        yield from ([Segment(line, _BOLD)] for line in wrapped(title, width, 2))
        for change in finding.advice.changes:
            text = f"  {change.where.value}: {clean(change.text, 512)}"
            yield from ([Segment(line)] for line in wrapped(text, width, 4))
        yield [Segment(f"  bpfexit diagnose --explain {rule}", _DIM)]
        yield []


def _explains(finding: Finding, whole: Snapshot, part: Part) -> bool:
    rows = finding.exits.rows
    return bool(len(narrowed(replace(whole, rows=rows), part.scope).rows))
