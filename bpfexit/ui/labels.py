"""The label columns of a table: what its lines are about. No I/O, nothing computed."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from rich.table import Table
from rich.text import Text

from bpfexit.events.access import Access
from bpfexit.events.kind import Kind
from bpfexit.model.grouping import GroupKey
from bpfexit.model.guest import NameSource
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.text import clean
from bpfexit.model.view import Query

LABEL_WIDTH = 24
"""Width of a reason or an address that number columns do not take away."""

GUESSED = '"?": guessed from the standard PC layout; --qmp or --libvirt confirms'


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


Label = tuple[str, Callable[[GroupKey], Text]]


def labels(
    query: Query, shared: Collection[str] = (), ended: Collection[tuple[int | None, str]] = ()
) -> list[Label]:
    """Return the label columns of a view: titles, and the text of a line.

    Guests whose names are in `shared` are written with their process. The guests in `ended`,
    by process and name, are marked as ended.
    """
    columns: list[Label] = []
    if "vm" in query.by or "vcpu" in query.by:
        columns.append(("guest", partial(_guest, shared, ended)))
    if "vcpu" in query.by:
        columns.append(("vCPU", _vcpu))
    if "class" in query.by:
        columns.append(("class", _reason_class))
    if "reason" in query.by or query.kinds:
        title = " / ".join(["reason"] * ("reason" in query.by) + ["address"] * bool(query.kinds))
        columns.append((title, reason_or_address if "reason" in query.by else _address))
    return columns


def longest(wanted: Sequence[Label], lines: Iterable[GroupKey]) -> list[int]:
    """Return the width of each label's longest text, its title included."""
    sizes = [len(title) for title, _ in wanted]
    for line in lines:
        sizes = [*map(max, sizes, (label(line).cell_len for _, label in wanted))]
    return sizes


def add_labels(grid: Table, wanted: Sequence[Label], sizes: Sequence[int]) -> None:
    """Add the label columns, for texts of up to these widths.

    A reason or an address gets its width before the numbers do.
    """
    for (title, label), size in zip(wanted, sizes, strict=True):
        if label is _vcpu:
            grid.add_column(title, no_wrap=True, overflow="ellipsis", width=size)
            continue
        width = min(size, LABEL_WIDTH) if label in (reason_or_address, _address) else None
        grid.add_column(title, no_wrap=True, overflow="ellipsis", ratio=1, min_width=width)


def shared_names(guests: Iterable[tuple[str | None, int | None]]) -> set[str]:
    """Return the names that several of some guests share, given as name and process."""
    counts = Counter(vm for vm, _ in set(guests) if vm is not None)
    return {vm for vm, guests_of_that_name in counts.items() if guests_of_that_name > 1}


def guests_of(lines: Iterable[GroupKey]) -> Iterator[tuple[str | None, int | None]]:
    """Yield name and process of the lines' guests."""
    return ((line.vm, line.pid) for line in lines)


def _guest(
    shared: Collection[str], ended: Collection[tuple[int | None, str]], line: GroupKey
) -> Text:
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


def _reason_class(line: GroupKey) -> Text:
    return Text("" if line.depth else line.reason_class or "")


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
    return f"{kind.written(number)} {access.name.lower() if access else ''}".rstrip()


def named_by(lines: Iterable[GroupKey]) -> list[str]:
    """Return the sources of the addresses' names, if any."""
    sources: set[NameSource] = set()
    some_guessed = False
    for line in lines:
        if line.name:
            sources.add(line.name.source)
            some_guessed |= line.name.is_guess
    sources -= {NameSource.PLATFORM}
    notes = [f"named by {', '.join(sorted(sources))}"] if sources else []
    if some_guessed:
        notes.append(GUESSED)
    return ["; ".join(notes)] if notes else []


def shrunk(sizes: Sequence[int], most: int, least: int = 1) -> list[int]:
    """Return widths of labels that are `most` in all; the widest give way, down to `least`."""
    fitting = list(sizes)
    while sum(fitting) > most and max(fitting, default=0) > least:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting
