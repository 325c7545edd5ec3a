"""A snapshot's header and a view's table as rich renderables. No I/O, nothing computed.

Every text that comes from a guest or a file goes through `clean` into a `Text`:
rich's markup is never interpreted.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from math import isnan
from typing import Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.model import numbers
from bpfexit.model.columns import COLUMNS, Column
from bpfexit.model.ended import OTHERS
from bpfexit.model.grouping import GroupKey
from bpfexit.model.guest import NameSource
from bpfexit.model.losses import LOSSES, NOT_COUNTED
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.snapshot import Snapshot, times
from bpfexit.model.text import clean
from bpfexit.model.view import Query, View
from bpfexit.ui.cost import cost_line

_NUMBER_WIDTH = 6
"""Minimum width of a number column."""

_LABEL_WIDTH = 24
"""Width of a reason or an address that number columns do not take away."""

NO_EXITS = "no exits to show"
NO_GUESTS = "No KVM guest is running; guests appear here when they start."

_NOTICE_LIMIT = 512
"""Maximum characters of a notice; the screen's width cuts all notices together."""

GUESSED = '"?": guessed from the standard PC layout; --qmp or --libvirt confirms'

SHOW_ALL = "-n 0 shows all"
"""How to see hidden lines in a pipe or a summary."""


class HasLines(Protocol):
    """Grouped lines: a view of one snapshot, or a comparison of two."""

    @property
    def query(self) -> Query:
        """The grouping and order of the lines."""

    @property
    def lines(self) -> Sequence[GroupKey]:
        """The groups."""

    @property
    def hidden(self) -> int:
        """The number of further lines."""


def header(snapshot: Snapshot, title: str = "", *, with_cost: bool = False) -> RenderableType:
    """Return the lines above the table: origin, totals, vCPU time and losses.

    The cost of bpfexit is included if its programs were measured in that time, or
    `with_cost` is set.
    """
    lines = [origin_line(snapshot), totals_line(snapshot, title), _time(snapshot), lost(snapshot)]
    if snapshot.ended:
        lines.append(_ended(snapshot))
    if snapshot.notices:
        lines.append(_notices(snapshot))
    if snapshot.cost.programs or (with_cost and snapshot.cost.over_s):
        lines.append(_cost(snapshot))
    return Group(*lines, *without_exits(snapshot))


def table(view: View, width: int, more: str = SHOW_ALL, empty: str = NO_EXITS) -> RenderableType:
    """Return the view's lines as a table.

    `more` is how to see hidden lines, `empty` why there are no lines.
    """
    query = view.query
    wanted = labels(view, view.ended)
    shown = _shown(view, width)
    is_tree = bool(query.groups and query.kinds)
    grid = Table(
        box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="reverse", expand=True
    )
    add_labels(grid, wanted, view.lines)
    titles, *values = _numbers(view, shown)
    width = max(_NUMBER_WIDTH, width - _LABEL_WIDTH)
    grid.add_column(titles, no_wrap=True, width=min(len(titles), width))
    for line, text in zip(view.lines, values, strict=True):
        cells = [label(line) for _, label in wanted]
        grid.add_row(*cells, Text(text), style="bold" if is_tree and not line.depth else "")
    return Group(grid, *footnotes(view, more, empty))


def _numbers(view: View, shown: Sequence[Column]) -> list[str]:
    """Return the number columns as one text per line, the titles first.

    All in one cell: rich takes some 25 µs per cell, and a screen is drawn every second.
    """
    columns = []
    for column in shown:
        mark = "▼" if column.key == view.query.sort else ""
        written = (column.write(line.numbers[column.key]) for line in view.lines)
        cells = [mark + column.title, *written]
        width = max(_NUMBER_WIDTH, *map(len, cells))
        columns.append([cell.rjust(width) for cell in cells])
    lines = range(1 + len(view.lines))
    return [" ".join(column[index] for column in columns) for index in lines]


def _shown(view: View, width: int) -> list[Column]:
    """Return the number columns that fit; if not all do, blank ones are hidden.

    The column that orders the lines is always included.
    """
    sort = view.query.sort
    fitting = [column for column in COLUMNS if width >= column.min_width or column.key == sort]
    if len(fitting) == len(COLUMNS):
        return fitting
    return [
        column
        for column in fitting
        if not all(isnan(line.numbers[column.key]) for line in view.lines)
    ]


def footnotes(view: HasLines, more: str = SHOW_ALL, empty: str = NO_EXITS) -> list[Text]:
    """Return the lines below a table: that it is empty, hidden lines, sources of names."""
    if not view.lines:
        return [Text(empty, style="dim")]
    hidden = [f"{_plural(view.hidden, 'more line')} ({more})"] if view.hidden else []
    notes = [*hidden, *named_by(view.lines)]
    return [Text(note, "dim", no_wrap=True, overflow="ellipsis") for note in notes]


def named_by(lines: Sequence[GroupKey]) -> list[str]:
    """Return the sources of the addresses' names, if any."""
    names = [line.name for line in lines if line.name]
    sources = {name.source for name in names} - {NameSource.PLATFORM}
    notes = [f"named by {', '.join(sorted(sources))}"] if sources else []
    if any(name.is_guess for name in names):
        notes.append(GUESSED)
    return ["; ".join(notes)] if notes else []


def origin_line(snapshot: Snapshot) -> Text:
    """Return host, kernel, back end, numbers of guests and vCPUs, and the end of the interval."""
    origin = snapshot.origin
    guests, vcpus = len(set(snapshot.vcpus["vm"].tolist())), len(snapshot.vcpus)
    guests += max(0, snapshot.others - 1)
    clock = time.strftime("%H:%M:%S", time.localtime(snapshot.start + snapshot.duration_s))
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append(clean(origin.host), style="bold")
    text.append(f"  Linux {clean(origin.kernel)}  {clean(origin.backend)}")
    return text.append(f"  {_plural(guests, 'guest')}, {_plural(vcpus, 'vCPU')}  {clock}")


def totals_line(snapshot: Snapshot, title: str = "") -> Text:
    """Return the exits per second, their number, and the title."""
    unit = "exits" if snapshot.origin.has_exit_events else "accesses"
    per_second = snapshot.exits / snapshot.duration_s if snapshot.duration_s else float("nan")
    text = Text(f"{numbers.rate(per_second)} {unit}/s", style="bold", no_wrap=True)
    counted = f"  {numbers.count(snapshot.exits)} in {snapshot.duration_s:.2f} s"
    return text.append(counted, style="not bold").append(f"  {clean(title)}" if title else "")


def _time(snapshot: Snapshot) -> Text:
    """Return the shares of the vCPUs' time; without VM entries, only user space is known."""
    vcpu_times = times(snapshot)
    if snapshot.only and vcpu_times.total:
        return _time_of_some(snapshot)
    if not vcpu_times.total:
        busy = vcpu_times.user / snapshot.duration_s if snapshot.duration_s else float("nan")
        return Text(f"time: in user space {numbers.duration(busy)} per second", no_wrap=True)
    guest, exits, user, idle = (
        numbers.share(ns / vcpu_times.total)
        for ns in (vcpu_times.guest, vcpu_times.exits, vcpu_times.user, vcpu_times.idle)
    )
    return Text(
        f"time: guest {guest}%, exits {exits}% (in user space {user}%), idle {idle}%",
        no_wrap=True,
        overflow="ellipsis",
    )


def _time_of_some(snapshot: Snapshot) -> Text:
    """Return the time of the filtered reasons: shares would need all other reasons."""
    vcpu_times = times(snapshot)
    amounts = (vcpu_times.exits + vcpu_times.idle, vcpu_times.user)
    exits, user = (numbers.duration(ns / snapshot.duration_s) for ns in amounts)
    only = clean(", ".join(snapshot.only))
    text = f"time: {exits} per second in exits of {only} alone (in user space {user})"
    return Text(text, no_wrap=True, overflow="ellipsis")


def lost(snapshot: Snapshot) -> Text:
    """Return the losses, or that there are none."""
    losses = {name: number for name, number in asdict(snapshot.lost).items() if number}
    text = Text(no_wrap=True, overflow="ellipsis")
    if not losses:
        text.append("lost: nothing", style="dim")
    for name, number in losses.items():
        style = "bold red" if name in NOT_COUNTED else "yellow"
        text.append(f"{name} {numbers.count(number)}", style=style)
        text.append(f" ({LOSSES[name]})  ", style="dim")
    if snapshot.in_flight:
        text.append(f"  in flight: {snapshot.in_flight}", style="dim")
    return text


def _cost(snapshot: Snapshot) -> Text:
    line = cost_line(snapshot.cost, snapshot.origin)
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def without_exits(snapshot: Snapshot) -> list[Text]:
    """Return a line on accesses without an exit, if there are any."""
    if not snapshot.origin.has_exit_events:
        return [no_exit_notice(snapshot)]
    if not snapshot.without_exit:
        return []
    some = f"{numbers.count(snapshot.without_exit)} accesses took no exit"
    text = f"{some}: emulated by KVM, no reason and no latency"
    return [Text(text, "yellow", no_wrap=True, overflow="ellipsis")]


def no_exit_notice(snapshot: Snapshot) -> Text:
    """Return what is unknown on a back end without exit events."""
    backend = clean(snapshot.origin.backend)
    return Text(
        f"{backend} has no kvm_exit event: no reasons or latencies; access counts are exact",
        "yellow",
        no_wrap=True,
        overflow="ellipsis",
    )


def _ended(snapshot: Snapshot) -> Text:
    ended = snapshot.ended
    known = dict.fromkeys((guest.pid, guest.name) for guest in snapshot.guests)
    names = [clean(name) for pid, name in known if (pid, name) in ended and name != OTHERS]
    before = f"{numbers.count(snapshot.others)} others, " if snapshot.others else ""
    text = f"ended: {before}{', '.join(names)}"
    return Text(text, "yellow", no_wrap=True, overflow="ellipsis")


def _notices(snapshot: Snapshot) -> Text:
    text = "; ".join(clean(notice, _NOTICE_LIMIT) for notice in snapshot.notices)
    return Text(text, "yellow", no_wrap=True, overflow="ellipsis")


Label = tuple[str, Callable[[GroupKey], Text]]


def labels(view: HasLines, ended: frozenset[tuple[int, str]] = frozenset()) -> list[Label]:
    """Return the label columns of a view: titles, and the text of a line.

    The guests in `ended`, by process and name, are marked as ended.
    """
    query = view.query
    found: list[Label] = []
    if "vm" in query.by or "vcpu" in query.by:
        found.append(("guest", partial(_guest, _shared_names(view), ended)))
    if "vcpu" in query.by:
        found.append(("vCPU", _vcpu))
    if "reason" in query.by or query.kinds:
        title = " / ".join(["reason"] * ("reason" in query.by) + ["address"] * bool(query.kinds))
        found.append((title, reason_or_address if "reason" in query.by else _address))
    return found


def add_labels(grid: Table, wanted: Sequence[Label], lines: Sequence[GroupKey]) -> None:
    """Add the label columns; a reason or an address gets its width before the numbers do."""
    for title, label in wanted:
        longest = max((label(line).cell_len for line in lines), default=0)
        width = min(longest, _LABEL_WIDTH) if label in (reason_or_address, _address) else None
        ratio = None if label is _vcpu else 1
        grid.add_column(title, no_wrap=True, overflow="ellipsis", ratio=ratio, min_width=width)


def _shared_names(view: HasLines) -> set[str]:
    """Return the names that several guests share."""
    guests = {(line.vm, line.pid) for line in view.lines}
    counts = Counter(vm for vm, _ in guests if vm is not None)
    return {vm for vm, guests_of_that_name in counts.items() if guests_of_that_name > 1}


def _guest(shared: set[str], ended: frozenset[tuple[int, str]], line: GroupKey) -> Text:
    """Return the guest's name, with its process if the name is ambiguous."""
    if line.vm is None or line.depth:
        return Text("")
    process = f" ({line.pid})" if line.vm in shared else ""
    return Text(clean(line.vm) + process + (" (ended)" if (line.pid, line.vm) in ended else ""))


def _vcpu(line: GroupKey) -> Text:
    if line.vcpu is None or line.depth:
        return Text("")
    if line.vcpu != NO_VCPU:
        return Text(str(line.vcpu))
    return Text("not known" if line.tid is None else f"tid {line.tid}")


def reason_or_address(line: GroupKey) -> Text:
    """Return a line's reason, or its address with its name."""
    if line.address is not None:
        text = Text("  " * line.depth + address(line.kind, line.address, line.access))
        return text.append(f" {clean(line.name.marked)}", "cyan") if line.name else text
    return Text(clean(line.reason) if line.reason else "not known")


def _address(line: GroupKey) -> Text:
    return Text("") if line.address is None else reason_or_address(line)


def address(kind: Kind, number: int, access: Access) -> str:
    """Return a port, guest physical address or MSR as text, with its direction."""
    return f"{kind.written(number)} {access.name.lower()}"


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
