"""`bpfexit top`."""

from functools import partial
from pathlib import Path

import click

from bpfexit.commands.options import (
    check_input,
    exact_io_option,
    filter_options,
    input_option,
    memory_map_options,
    view_options,
)
from bpfexit.commands.values import INTERVAL, SECONDS
from bpfexit.errors import UsageError
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.filter import Filter
from bpfexit.model.view import Query, default_query, kinds_of
from bpfexit.run.loop import Run, intervals, run_screen, sum_for
from bpfexit.run.session import max_rows_option, opened, tell
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Source
from bpfexit.streams import write_pieces
from bpfexit.ui.batch import show, show_json, show_tables
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.state import first_state

EPILOG = """\b
Examples:
  bpfexit top                          live, all guests
  bpfexit top --by vm,reason 5         every 5 s, by guest and reason
  bpfexit top -b -p "$(pgrep -o qemu)" -d 10
                                       tables of one guest for 10 s
  bpfexit top -j 1 60 > exits.jsonl    a minute as JSON lines
  bpfexit top --input exits.jsonl      and show it again
"""


@click.command(epilog=EPILOG)
@click.argument("interval", type=INTERVAL, required=False)
@click.argument("count", type=click.IntRange(min=1), required=False)
@click.option(
    "-i", "--interval", "interval_option", type=INTERVAL, help="Refresh interval in seconds [1]."
)
@click.option("-d", "--duration", type=SECONDS, help="Stop after SECONDS.")
@filter_options
@memory_map_options
@view_options
@click.option("-b", "--batch", is_flag=True, help="Print plain tables, one after another.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON object per interval.")
@input_option("Show a recording (of `record` or `top -j`) instead of this host.", "--replay")
@exact_io_option
@max_rows_option
def top(
    interval: float | None,
    count: int | None,
    interval_option: float | None,
    duration: float | None,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    reasons: tuple[str, ...],
    maps: MapSources,
    by: tuple[str, ...] | None,
    sort: str | None,
    limit: int,
    batch: bool,
    as_json: bool,
    recording: Path | None,
    exact_io: bool,
    max_rows: int,
) -> None:
    """Show live which exits the guests take, on which ports and addresses, and what they cost.

    On a terminal, the screen is redrawn every INTERVAL seconds; press h for the
    keys. Into a pipe, or with -b, prints plain tables.
    """
    if interval is not None and interval_option is not None:
        raise UsageError("give the interval once: as the first argument or with -i")
    check_input(recording, None, maps)  # -d also ends a replay
    run = Run(interval or interval_option or 1.0, count, duration)
    wanted = Filter(pids, vcpus, reasons, kinds_of(by or ()), exact_io)
    with Interrupts() as interrupts:
        source = opened(recording, wanted, max_rows, maps=maps)
        query = default_query(source.has_exit_events, by, sort, limit)
        try:
            _show(source, run, query, interrupts, batch=batch, as_json=as_json)
        finally:
            source.close()
        tell(*source.notes())


def _show(
    source: Source,
    run: Run,
    query: Query,
    interrupts: Interrupts,
    *,
    batch: bool,
    as_json: bool,
) -> None:
    if as_json:
        show_json(intervals(source, run, interrupts, measure_cost=True), write_pieces)
        return
    console = PlainConsole()
    if batch or not console.is_screen:
        snapshots = intervals(source, run, interrupts, measure_cost=True)
        show_tables(snapshots, query, console, sum_for(source))
        return
    replay = source.due() is not None
    state = first_state(query, run.interval, source.has_exit_events, replay)
    screen = LiveScreen(state, console, partial(sum_for, source))
    run_screen(source, run, interrupts, screen)
    if screen.total:
        query = screen.state.query
        filtered = f", filter: {query.text}" if query.text else ""
        show(screen.total, query, console, f"since start or reset{filtered}")
