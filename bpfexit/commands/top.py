"""`bpfexit top`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from bpfexit.commands.options import (
    blocked_option,
    check_form,
    check_input,
    check_measured,
    csv_option,
    exact_io_option,
    filter_options,
    guest_symbols_option,
    input_option,
    memory_map_options,
    slow_only_option,
    view_options,
)
from bpfexit.commands.values import INTERVAL, SECONDS
from bpfexit.errors import UsageError
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.filter import Filter
from bpfexit.model.symbols import GuestSymbols
from bpfexit.model.view import Query, default_query, kinds_of
from bpfexit.recording.replay import Replay
from bpfexit.run.loop import Run, intervals, run_screen, sum_for
from bpfexit.run.session import max_rows_option, opened, tell, tell_lost
from bpfexit.run.signals import Interrupts
from bpfexit.run.source import Source
from bpfexit.streams import write_pieces
from bpfexit.ui.batch import show, show_csv, show_json, show_tables
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.live import LiveScreen
from bpfexit.ui.screen.prompts import column_keys
from bpfexit.ui.screen.state import State, first_state

EPILOG = """\b
Examples:
  bpfexit top                          live, all guests
  bpfexit top --by vm,reason 5         every 5 s, by guest and reason
  bpfexit top --by vcpu,halt           how halts end, and the time polled
  bpfexit top --blocked                also locks, page faults and disks
  bpfexit top -b -p "$(pgrep -o qemu)" -d 10
                                       tables of one guest for 10 s
  bpfexit top -j 1 60 > exits.jsonl    a minute as JSON lines
  bpfexit top --csv 1 60 > lines.csv   a minute of its lines, for a spreadsheet
  bpfexit top --input exits.jsonl      and show it again
"""


def screen_columns(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Read keys or headings of columns, separated by commas; none if the option is not given."""
    del ctx, param
    try:
        return column_keys(value or "")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


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
@slow_only_option
@guest_symbols_option
@click.option(
    "--columns",
    metavar="NAME[,NAME]",
    callback=screen_columns,
    help="Columns of the live screen: as for --sort, and trend, histogram, dearest.",
)
@click.option("-b", "--batch", is_flag=True, help="Print plain tables, one after another.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON object per interval.")
@csv_option
@input_option("Show a recording (of `record` or `top -j`) instead of this host.", "--replay")
@exact_io_option
@blocked_option
@max_rows_option
def top(
    interval: float | None,
    count: int | None,
    interval_option: float | None,
    duration: float | None,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    maps: MapSources,
    by: tuple[str, ...] | None,
    sort: str | None,
    limit: int,
    than_ns: int,
    symbols: GuestSymbols,
    columns: tuple[str, ...],
    batch: bool,
    as_json: bool,
    as_csv: bool,
    recording: Path | None,
    exact_io: bool,
    blocked: bool,
    max_rows: int,
) -> None:
    """Show live which exits the guests take, on which ports and addresses, and what they cost.

    On a terminal, the screen is redrawn every INTERVAL seconds; press ? for the
    keys. Into a pipe, or with -b, prints plain tables.
    """
    if interval is not None and interval_option is not None:
        raise UsageError("give the interval once: as the first argument or with -i")
    check_form(as_json, as_csv)
    if as_json and than_ns:
        raise UsageError("--than does not apply to -j, which prints all that is counted")
    check_input(recording, None, maps)  # -d also ends a replay
    if recording is None:
        check_measured((*columns, sort or ""), by or (), blocked=blocked)
    run = Run(interval or interval_option or 1.0, count, duration)
    kinds = kinds_of(by or ())
    wanted = Filter(pids, vcpus, reasons, kinds, tids, exact_io, blocked, guests=names)
    with Interrupts() as interrupts:
        source = opened(recording, wanted, max_rows, maps=maps)
        query = default_query(source.has_exit_events, by, sort, limit, than_ns)
        query = replace(query, symbols=symbols)
        try:
            if as_json or as_csv:
                _print(source, run, query, interrupts, as_csv=as_csv)
            else:
                state = first_state(
                    query,
                    run.interval,
                    own_by=bool(by),
                    has_exit_events=source.has_exit_events,
                    replay=source.due() is not None,
                    chosen=wanted.is_of_some_guests,
                    columns=columns,
                )
                _show(source, run, query, interrupts, state, batch=batch)
        finally:
            source.close()
        tell(*source.notes())


def _print(source: Source, run: Run, query: Query, interrupts: Interrupts, *, as_csv: bool) -> None:
    """Print the lines of each interval as CSV, or all of it as JSON."""
    snapshots = intervals(source, run, interrupts, measure_cost=not as_csv)
    if as_csv:
        tell_lost(show_csv(snapshots, query, write_pieces))
    else:
        show_json(snapshots, write_pieces)


def _show(
    source: Source, run: Run, query: Query, interrupts: Interrupts, state: State, *, batch: bool
) -> None:
    """Show tables, or the live screen on a terminal."""
    console = PlainConsole.for_tables()
    if batch or not console.is_screen:
        snapshots = intervals(source, run, interrupts, measure_cost=True)
        show_tables(snapshots, query, console, sum_for(source))
        return
    recording = source if isinstance(source, Replay) else None
    screen = LiveScreen(state, console, partial(sum_for, source), recording)
    run_screen(source, run, interrupts, screen)
    if screen.total:
        state = screen.state
        filtered = f", filter: {state.text}" if state.text else ""
        query = replace(state.query(state.tab.by), limit=query.limit)
        show(state.part.of(screen.total), query, console, f"since start or reset{filtered}")
