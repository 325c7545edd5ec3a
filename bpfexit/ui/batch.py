"""Snapshots in a pipe: one table after another, a line of JSON each, or CSV."""

from collections.abc import Callable, Iterable
from itertools import chain

from rich.console import Console

from bpfexit.formats import report
from bpfexit.formats.json import snapshot as snapshot_json
from bpfexit.model.address_names import AddressNames
from bpfexit.model.losses import Lost
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.model.view import Query, view
from bpfexit.ui.header import header
from bpfexit.ui.tables import table_parts


def show_json(snapshots: Iterable[Snapshot], write: Callable[[Iterable[str]], object]) -> None:
    """Write a line of JSON per interval, at once, with the names of addresses."""
    for snapshot in snapshots:
        write(chain(snapshot_json.pieces(snapshot, AddressNames(snapshot).name), ["\n"]))


def show_json_lines(
    snapshots: Iterable[Snapshot], query: Query, write: Callable[[Iterable[str]], object]
) -> None:
    """Write the lines of each interval as JSON, at once."""
    for snapshot in snapshots:
        write(report.json_lines(snapshot, query))
        del snapshot  # before the next one is read


def show_csv(
    snapshots: Iterable[Snapshot], query: Query, write: Callable[[Iterable[str]], object]
) -> Lost:
    """Write the lines of each interval as CSV, at once, below a header; return what they lost."""
    lost, header = Lost(), [report.csv_header()]
    for snapshot in snapshots:
        write(chain(header, report.csv_lines(snapshot, query)))
        lost, header = lost + snapshot.lost, []
        del snapshot  # before the next one is read
    return lost


def show_tables(
    snapshots: Iterable[Snapshot], query: Query, console: Console, total: SnapshotSum
) -> None:
    """Print a table for each interval, and one for all of them together."""
    for snapshot in snapshots:
        total.add(snapshot)
        show(snapshot, query, console)
        del snapshot  # before the next one is read
    if total.intervals > 1:
        show(total.sum(), query, console, f"all {total.intervals} intervals")


def show(snapshot: Snapshot, query: Query, console: Console, title: str = "") -> None:
    """Print one table with its header."""
    console.print(header(snapshot, title))
    for part in table_parts(view(snapshot, query), console.width):
        console.print(part)
    console.print()
