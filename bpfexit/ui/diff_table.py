"""A comparison as rich renderables: its header and its table. No I/O, nothing computed.

Every text that comes from a guest or a file goes through `clean` into a `Text`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.diff import Diff, Line, Status, per_second, times_per_second
from bpfexit.model.losses import NOT_COUNTED
from bpfexit.model.rank_test import Verdict
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean
from bpfexit.ui.tables import add_labels, footnotes, labels

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


def table(diff: Diff, width: int) -> RenderableType:
    """Return the lines as a table, with a footnote on hidden lines."""
    if not diff.lines:
        return Text("nothing to compare", style="dim")
    if diff.is_same:
        return Text("no difference", style="bold")
    wanted = labels(diff)
    columns = [column for column in _columns(diff.userspace) if width >= column[2]]
    grid = Table(
        box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="reverse", expand=True
    )
    add_labels(grid, wanted, diff.lines)
    for above, title, _, _ in columns:
        grid.add_column(f"{above}\n{title}", justify="right", no_wrap=True, min_width=6)
    grid.add_column("\nlatency", no_wrap=True, min_width=8)
    is_tree = any(line.depth for line in diff.lines)
    for line in diff.lines:
        cells = [label(line) for _, label in wanted]
        values = [Text(cell(line)) for *_, cell in columns]
        style = "bold" if is_tree and not line.depth else ""
        grid.add_row(*cells, *values, _verdict(line), style=style)
    return Group(grid, *footnotes(diff))


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
    rates = [per_second(each.exits, each.duration_s) for each in (diff.before, diff.after)]
    ratio = numbers.ratio(rates[1] / rates[0]) if rates[0] else ""
    shown = " → ".join(numbers.rate(rate) for rate in rates)
    return Text(f"{shown} {unit}/s {ratio}".rstrip(), "bold", no_wrap=True, overflow="ellipsis")


def _saved(diff: Diff) -> Text:
    """Return the time of all exits together, and its change."""
    time_before, time_after = diff.time(diff.before), diff.time(diff.after)
    place = "in user space" if diff.userspace else "in exits"
    text = Text(
        f"time {place}: {_change(time_before, time_after)} per second",
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
    found = []
    if diff.before.start > diff.after.start:
        found.append("BEFORE was recorded later than AFTER: are they swapped?")
    if diff.differing:
        names = ", ".join(diff.differing).replace("backend", "back end")
        found.append(f"the recordings differ in more than the guest: different {names}")
    if diff.userspace:
        some = any(each.origin.has_exit_events for each in (diff.before, diff.after))
        who = "only one has" if some else "neither has"
        found.append(f"{who} kvm_exit: no latencies; times are those in user space")
    for title, snapshot in (("before", diff.before), ("after", diff.after)):
        if not snapshot.exits:
            found.append(f"{title}: nothing was counted")
        losses = {name: lost for name, lost in asdict(snapshot.lost).items() if lost}
        missing = [
            f"{name} {numbers.count(losses[name])}" for name in NOT_COUNTED if name in losses
        ]
        if missing:
            found.append(f"{title}: the counts are too small: {', '.join(missing)}")
    return [Text(each, "yellow") for each in found]
