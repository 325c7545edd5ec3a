"""`bpfexit report`."""

from pathlib import Path

import click

from bpfexit.commands.options import filter_options, input_option, view_options
from bpfexit.errors import UsageError
from bpfexit.model.filter import Filter
from bpfexit.model.time_spec import Moment, parse_moment
from bpfexit.model.timeline import Timeline
from bpfexit.model.view import default_query, view
from bpfexit.recording.reader import RecordingSource
from bpfexit.recording.total import total_of
from bpfexit.run.session import tell
from bpfexit.ui.batch import show
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
    help="Start of the window: seconds since the start, HH:MM:SS, or ISO date and time.",
)
@click.option(
    "--to", "end", metavar="TIME", callback=moment, help="End of the window, in the same formats."
)
@click.option(
    "--timeline", "with_timeline", is_flag=True, help="Show rates over time, by reason or --by."
)
@filter_options
@view_options
def report(
    file: Path | None,
    recording: Path | None,
    begin: Moment | None,
    end: Moment | None,
    with_timeline: bool,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    reasons: tuple[str, ...],
    by: tuple[str, ...] | None,
    sort: str | None,
    limit: int,
) -> None:
    """Show the recording FILE, or a window of it, as one table."""
    source = RecordingSource(_path(file, recording), Filter(pids, vcpus, reasons))
    if with_timeline and by is None and source.has_exit_events:
        by = ("reason",)
    query = default_query(source.has_exit_events, by, sort, limit)
    timeline = Timeline(query)
    window = _since(begin, source), _since(end, source)
    whole = total_of(source, *window, *([timeline.add] if with_timeline else []))
    total, console = whole.snapshot, PlainConsole()
    title = "1 interval" if whole.intervals == 1 else f"{whole.intervals} intervals"
    if with_timeline:
        console.print(header(total, title))
        console.print(timeline_table(view(total, query), timeline, total.start, console.width))
    else:
        show(total, query, console, title)
    tell(*whole.notes)


def _path(file: Path | None, recording: Path | None) -> Path:
    """Return the recording's path. Raises `UsageError` unless it is given exactly once."""
    if (file is None) == (recording is None):
        raise UsageError("report needs one recording: bpfexit report FILE")
    return file or recording or Path()


def _since(moment: Moment | None, source: RecordingSource) -> float | None:
    return None if moment is None else moment.since(source.start)
