"""`bpfexit report`."""

from dataclasses import replace
from pathlib import Path

import click

from bpfexit.commands.options import (
    check_form,
    csv_option,
    filter_options,
    guest_symbols_option,
    input_option,
    slow_only_option,
    view_options,
)
from bpfexit.errors import UsageError
from bpfexit.model.filter import Filter
from bpfexit.model.symbols import GuestSymbols
from bpfexit.model.time_spec import Moment, parse_moment
from bpfexit.model.timeline import Timeline
from bpfexit.model.view import Query, default_query, kinds_of, view
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total_of, window
from bpfexit.run.session import tell, tell_lost
from bpfexit.streams import write_pieces
from bpfexit.ui.batch import show, show_csv, show_json_lines
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.header import header
from bpfexit.ui.timeline import timeline_table

EPILOG = """\b
Examples:
  bpfexit record -o run.jsonl.gz -d 5                 record five seconds
  bpfexit report run.jsonl.gz                         all of it
  bpfexit report run.jsonl.gz --from 1 --to 3         two seconds of it
  bpfexit report run.jsonl.gz --by vm,reason -n 20    the views of `top`
  bpfexit report run.jsonl.gz --timeline              the rates over time
  bpfexit report run.jsonl.gz --csv > run.csv         all columns, for a spreadsheet
"""


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> Moment | None:
    """Read a point in time; None if the option is not given."""
    del ctx, param
    try:
        return None if value is None else parse_moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(epilog=EPILOG)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@input_option("Alternative to FILE.")
@click.option(
    "--from",
    "begin",
    metavar="TIME",
    callback=moment,
    help="Start of the window: time since the start (90, 5m), HH:MM:SS, or ISO date and time.",
)
@click.option(
    "--to", "end", metavar="TIME", callback=moment, help="End of the window, in the same formats."
)
@click.option(
    "--timeline",
    "with_timeline",
    is_flag=True,
    help="Show rates over time, by reason or --by; with -j or --csv, each interval apart.",
)
@filter_options
@view_options
@slow_only_option
@guest_symbols_option
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@csv_option
def report(
    file: Path | None,
    recording: Path | None,
    begin: Moment | None,
    end: Moment | None,
    with_timeline: bool,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    by: tuple[str, ...] | None,
    sort: str | None,
    limit: int,
    than_ns: int,
    symbols: GuestSymbols,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show the recording FILE, or a window of it, as one table."""
    check_form(as_json, as_csv)
    wanted = Filter(pids, vcpus, reasons, kinds_of(by or ()), tids, guests=names)
    source = RecordingSource(_path(file, recording), wanted)
    if with_timeline and by is None and source.has_exit_events:
        by = ("reason",)
    query = default_query(source.has_exit_events, by, sort, limit, than_ns)
    query = replace(query, symbols=symbols)
    span = _since(begin, source), _since(end, source)
    if as_json or as_csv:
        _print(source, span, query, each_interval=with_timeline, as_csv=as_csv)
        return
    timeline = Timeline(query)
    window_total = total_of(source, *span, *([timeline.add] if with_timeline else []))
    total = window_total.snapshot
    title = "1 interval" if window_total.intervals == 1 else f"{window_total.intervals} intervals"
    if with_timeline:
        console = PlainConsole.for_tables()
        console.print(header(total, title))
        table = timeline_table(view(total, query), timeline, total.start, console.lines_width)
        console.print(table)
    else:
        show(total, query, PlainConsole.for_tables(), title)
    tell(*window_total.notes)


def _print(
    source: RecordingSource,
    span: tuple[float | None, float | None],
    query: Query,
    *,
    each_interval: bool,
    as_csv: bool,
) -> None:
    """Print the lines of a window, or of each interval in it, as JSON or CSV."""
    snapshots = window(source, *span) if each_interval else [total_of(source, *span).snapshot]
    if as_csv:
        tell_lost(show_csv(snapshots, query, write_pieces))
    else:
        show_json_lines(snapshots, query, write_pieces)
    tell(*source.notes())


def _path(file: Path | None, recording: Path | None) -> Path:
    """Return the recording's path. Raises `UsageError` unless it is given exactly once."""
    if (file is None) == (recording is None):
        raise UsageError("report needs one recording: bpfexit report FILE")
    return file or recording or Path()


def _since(moment: Moment | None, source: RecordingSource) -> float | None:
    return None if moment is None else moment.since(source.start)
