"""A comparison as rich renderables: its header and its table. No I/O, nothing computed.

Every text that comes from a guest or a file goes through `clean` into a `Text`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.diff import Diff, times_per_second
from bpfexit.model.losses import NOT_COUNTED
from bpfexit.model.matched import Line, Status
from bpfexit.model.rank_test import Verdict
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean
from bpfexit.ui.labels import add_labels, guests_of, labels, longest, shared_names
from bpfexit.ui.tables import BLOCK, footnotes, new_table

_VERDICTS = {
    Verdict.UNKNOWN: ("", ""),
    Verdict.TOO_FEW: ("too few", "dim"),
    Verdict.NOISE: ("noise", "dim"),
    Verdict.FASTER: ("faster", "green"),
    Verdict.SLOWER: ("slower", "red"),
}
_STATUSES = {Status.APPEARED: ("appeared", "yellow"), Status.VANISHED: ("vanished", "cyan")}

Cell = Callable[[Line], str]
Column = tuple[str, str, int, Cell]
"""The two lines of its title, the minimum width of the terminal, and the text of a cell."""


def header(diff: Diff, names: tuple[str, str]) -> RenderableType:
    """Return the lines above the table: the two recordings, with their files, and the totals."""
    sides = (diff.before, diff.after)
    lines = [
        _side_line(title, snapshot, name)
        for title, snapshot, name in zip(("before", "after "), sides, names, strict=True)
    ]
    lines += [_rates(diff), _saved(diff)]
    if not (diff.userspace or diff.before.only or diff.after.only):
        lines.append(_time(diff))
    lines += _warnings(diff)
    return Group(*lines)


def table(diff: Diff, width: int | None) -> Iterator[RenderableType]:
    """Yield the lines as a table in parts, with a footnote on hidden lines.

    The parts are one table when one is printed below another. Without a width, all columns
    are there, as wide as their lines need.
    """
    if not diff.lines:
        yield Text("nothing to compare", style="dim")
    elif diff.is_same:
        yield Text("no difference", style="bold")
    else:
        layout = _Layout(diff, width)
        for first in range(0, len(diff.lines), BLOCK):
            yield layout.grid(diff.lines[first : first + BLOCK], has_header=not first)
        yield from footnotes(diff)


class _Layout:
    """The columns of a comparison's table, which are as wide as all of its lines need."""

    def __init__(self, diff: Diff, width: int | None) -> None:
        self._width = width
        self._labels = labels(diff.query, shared_names(guests_of(diff.lines)))
        self._sizes = longest(self._labels, diff.lines)
        every = _columns(diff.userspace)
        self._columns = [each for each in every if width is None or width >= each[2]]
        self._is_tree = bool(diff.query.groups and diff.query.kinds)
        self._widths = [max(6, len(above), len(title)) for above, title, *_ in self._columns]
        for line in diff.lines:
            cells = (cell(line) for *_, cell in self._columns)
            self._widths = [*map(max, self._widths, map(len, cells))]

    def grid(self, lines: Sequence[Line], has_header: bool) -> Table:
        """Return a table of some lines."""
        grid = new_table(has_header, expand=self._width is not None)
        add_labels(grid, self._labels, self._sizes)
        for (above, title, *_), width in zip(self._columns, self._widths, strict=True):
            grid.add_column(f"{above}\n{title}", justify="right", no_wrap=True, width=width)
        grid.add_column("\nlatency", no_wrap=True, width=8)
        for line in lines:
            cells = [label(line) for _, label in self._labels]
            values = [Text(cell(line)) for *_, cell in self._columns]
            style = "bold" if self._is_tree and not line.depth else ""
            grid.add_row(*cells, *values, _verdict(line), style=style)
        return grid


def _columns(userspace: bool) -> Sequence[Column]:
    """Return the number columns; without latencies, times are those in user space."""
    if userspace:
        return (*_RATES, *_pair("in user", "user_mean", 0, numbers.duration), _MEAN_RATIO)
    return (
        *_RATES,
        *_pair("mean", "mean", 0, numbers.duration),
        _MEAN_RATIO,
        *_pair("p50", "p50", 132, numbers.duration),
        *_pair("p99", "p99", 116, numbers.duration),
        *_pair("user%", "user", 148, lambda part: numbers.share(part) if part else ""),
    )


def _pair(title: str, name: str, width: int, write: Callable[[float], str]) -> tuple[Column, ...]:
    """Return the columns of one number, before and after."""
    return (
        (title, "before", width, lambda line: write(getattr(line.before, name))),
        ("", "after", width, lambda line: write(getattr(line.after, name))),
    )


_MEAN_RATIO: Column = ("", "ratio", 100, lambda line: numbers.ratio(line.mean_ratio))
_RATES: tuple[Column, ...] = (
    ("time/s", "saved", 0, lambda line: numbers.saved(line.saved)),
    *_pair("per s", "rate", 0, numbers.rate),
    ("", "ratio", 100, lambda line: numbers.ratio(line.rate_ratio)),
)


def _verdict(line: Line) -> Text:
    return Text(*(_STATUSES.get(line.status) or _VERDICTS[line.latency.verdict]))


def _side_line(title: str, snapshot: Snapshot, name: str) -> Text:
    origin = snapshot.origin
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(snapshot.start))
    text = Text(f"{title}  {clean(name)}", "bold", no_wrap=True, overflow="ellipsis")
    rest = f"  {clock}, {snapshot.duration_s:.2f} s  {clean(origin.host)}"
    rest += f"  Linux {clean(origin.kernel)}  {clean(origin.backend)}"
    return text.append(rest, "not bold")


def _rates(diff: Diff) -> Text:
    unit = "accesses" if diff.userspace else "exits"
    rates = [snapshot.per_second(snapshot.exits) for snapshot in (diff.before, diff.after)]
    ratio = numbers.ratio(rates[1] / rates[0]) if rates[0] else ""
    shown = " → ".join(numbers.rate(rate) for rate in rates)
    return Text(f"{shown} {unit}/s {ratio}".rstrip(), "bold", no_wrap=True, overflow="ellipsis")


def _saved(diff: Diff) -> Text:
    """Return the time of all exits together, and its change."""
    time_before, time_after = diff.time(diff.before), diff.time(diff.after)
    where = "in user space" if diff.userspace else "in exits"
    text = Text(
        f"time {where}: {_change(time_before, time_after)} per second",
        no_wrap=True,
        overflow="ellipsis",
    )
    if isnan(diff.saved) or not diff.saved:
        return text
    word, style = ("saved", "bold green") if diff.saved > 0 else ("lost", "bold red")
    ratio = numbers.ratio(time_after / time_before) if time_before else ""
    text.append(f" {ratio}".rstrip())
    return text.append(f"  {numbers.duration(abs(diff.saved))} per second {word}", style)


def _time(diff: Diff) -> Text:
    before, after = times_per_second(diff.before), times_per_second(diff.after)
    names = {"guest": "in the guest", "user": "in user space", "idle": "idle"}
    parts = [f"{title} {_change(before[name], after[name])}" for name, title in names.items()]
    return Text(", ".join(parts), "dim", no_wrap=True, overflow="ellipsis")


def _change(before: float, after: float) -> str:
    return f"{numbers.duration(before)} → {numbers.duration(after)}"


def _warnings(diff: Diff) -> list[Text]:
    """Return the reasons that make the two recordings less comparable."""
    notes = []
    if diff.before.start > diff.after.start:
        notes.append("BEFORE was recorded later than AFTER: are they swapped?")
    if diff.differing:
        names = ", ".join(diff.differing).replace("backend", "back end")
        notes.append(f"the recordings differ in more than the guest: different {names}")
    if diff.userspace:
        some = any(snapshot.origin.has_exit_events for snapshot in (diff.before, diff.after))
        who = "only one has" if some else "neither has"
        notes.append(f"{who} kvm_exit: no latencies; times are those in user space")
    for title, snapshot in (("before", diff.before), ("after", diff.after)):
        if not snapshot.exits:
            notes.append(f"{title}: nothing was counted")
        losses = {name: lost for name, lost in asdict(snapshot.lost).items() if lost}
        missing = [
            f"{name} {numbers.count(losses[name])}" for name in NOT_COUNTED if name in losses
        ]
        if missing:
            notes.append(f"{title}: the counts are too small: {', '.join(missing)}")
    return [Text(note, "yellow") for note in notes]
