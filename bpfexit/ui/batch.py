"""Snapshots in a pipe: one table after another, or a line of JSON each."""

from collections.abc import Callable, Iterable

from rich.console import Console

from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.address_names import AddressNames
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.view import Query, view
from bpfexit.ui.tables import header, table


def show_json(snapshots: Iterable[Snapshot], write: Callable[[str], object]) -> None:
    """Write a line for each interval, at once; the addresses in it have their names."""
    for snapshot in snapshots:
        write(snapshot_json.encode(snapshot, AddressNames(snapshot).name))


def show_tables(snapshots: Iterable[Snapshot], query: Query, console: Console) -> None:
    """Print a table for each interval, and one for all of them together."""
    total: Snapshot | None = None
    number = 0
    for snapshot in snapshots:
        number += 1
        total = merged([total, snapshot]) if total else snapshot
        show(snapshot, query, console)
    if total and number > 1:
        show(total, query, console, f"all {number} intervals")


def show(snapshot: Snapshot, query: Query, console: Console, title: str = "") -> None:
    """Print one table with its header."""
    console.print(header(snapshot, title))
    console.print(table(view(snapshot, query), console.width))
    console.print()
