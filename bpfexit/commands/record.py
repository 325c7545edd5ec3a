"""`bpfexit record`."""

import re
import socket
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import click
from click.core import ParameterSource

from bpfexit import __version__
from bpfexit.commands.options import (
    blocked_option,
    exact_io_option,
    filter_options,
    memory_map_options,
    rate_option,
    record_by_option,
    than_option,
)
from bpfexit.commands.values import INTERVAL, SECONDS
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.json.recording import Header
from bpfexit.guests import guests
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.filter import Filter
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.slow import Threshold
from bpfexit.model.text import clean
from bpfexit.model.view import kinds_of
from bpfexit.recording.writer import Recorder
from bpfexit.run.child import Child, must_exist
from bpfexit.run.loop import Run, intervals
from bpfexit.run.session import live_source, max_rows_option, tell
from bpfexit.run.signals import Interrupts, has_terminal
from bpfexit.tracer.source import KernelSource
from bpfexit.ui.cost import cost_line
from bpfexit.ui.progress import Progress, progress

EPILOG = """\b
Examples:
  bpfexit record                          until Ctrl-C, into a new file in this folder
  bpfexit record -o night.jsonl.gz -i 10  every 10 s
  bpfexit record -d 60 --reason hlt       a minute, one reason
  bpfexit record -d 60 --by rip,halt      also which instructions exit, and how halts end
  bpfexit record -o sleep.jsonl -- sleep 2
                                          while a command runs
  bpfexit report night.jsonl.gz           the whole recording
  bpfexit record --events slow --than 5ms -d 60 -o slow.jsonl
                                          also every single exit of 5 ms or longer
  bpfexit slow --input slow.jsonl         print them
"""


@click.command(
    epilog=EPILOG,
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file, compressed if named .gz [bpfexit-HOST-DATE-TIME.jsonl.gz].",
)
@click.option("--append", is_flag=True, help="Append to an existing recording.")
@click.option(
    "-i",
    "--interval",
    type=INTERVAL,
    default=1.0,
    help="Interval in seconds; one line per interval [1].",
)
@click.option("-d", "--duration", type=SECONDS, help="Stop after SECONDS.")
@click.option(
    "--events",
    type=click.Choice(["slow"]),
    help="Also record single events: every slow exit.",
)
@than_option
@rate_option
@filter_options
@record_by_option
@exact_io_option
@blocked_option
@max_rows_option
@memory_map_options
def record(
    command: tuple[str, ...],
    output: Path | None,
    append: bool,
    interval: float,
    duration: float | None,
    events: str | None,
    than_ns: int,
    rate: int,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    by: tuple[str, ...] | None,
    exact_io: bool,
    blocked: bool,
    max_rows: int,
    maps: MapSources,
) -> int:
    """Write the guests' exits to a file, one line per interval, until Ctrl-C or COMMAND ends.

    However the recording ends, the file can be read up to the last complete interval.
    Closing the terminal ends it like Ctrl-C. Without a terminal, as in a service, SIGHUP
    reopens the file, for log rotation. With a COMMAND, exits with its status, or with 1
    if only the recording failed.
    """
    if not events and _given("than_ns", "rate"):
        raise UsageError("--than and --rate apply to --events slow only")
    must_exist(command)
    kinds = kinds_of(by or ())
    wanted = Filter(pids, vcpus, reasons, kinds, tids, exact_io, blocked, guests=names)
    threshold = Threshold(than_ns, rate) if events else None
    path = output or _default_path()
    with Interrupts(hangup_reopens=not has_terminal()) as interrupts, ExitStack() as stack:
        source = live_source(wanted, max_rows, threshold, maps)
        stack.callback(source.close)
        recorder = Recorder(path, lambda: _header(source, interval, pids), append)
        stack.enter_context(closing(recorder))
        tell(f"recording to {clean(str(path), 4096)}")
        child = stack.enter_context(Child(command, interrupts, tell)) if command else None
        shown = Progress(sys.stderr, alone=child is None)
        try:
            _record(source, Run(interval, None, duration), interrupts, recorder, shown)
        except BpfexitError as error:
            if child is None:
                raise
            source.close()
            tell(f"{error}; the command goes on, unrecorded")
            return child.finish() or 1
        return child.finish() if child else 0


def _given(*options: str) -> bool:
    """Return whether any of these is on the command line."""
    context = click.get_current_context()
    return any(
        context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in options
    )


def _record(
    source: KernelSource,
    run: Run,
    interrupts: Interrupts,
    recorder: Recorder,
    shown: Progress,
) -> None:
    begun = time.monotonic()
    exits, slow, lost, cost, line = 0, 0, Lost(), OwnCost(), ""
    for snapshot in intervals(source, run, interrupts, measure_cost=True):
        if interrupts.reopens():
            recorder.reopen()
        recorder.write(snapshot)
        if notes := recorder.notes():
            shown.end(*notes)
        exits += snapshot.exits
        lost += snapshot.lost
        cost += snapshot.cost
        slow += snapshot.slow.count if snapshot.slow else 0
        elapsed = time.monotonic() - begun
        line = progress(elapsed, exits, recorder.size, lost)
        line += f"  {slow:,} slow" if snapshot.slow else ""
        shown.show(elapsed, line)
    shown.end(line, cost_line(cost, source.origin))


def _header(source: KernelSource, interval: float, pids: tuple[int, ...]) -> Header:
    running = [pid for pid in guests.running() if not pids or pid in pids]
    guests_seen = guests.guests_of(running)
    return Header(__version__, source.origin, interval, time.time(), guests_seen)


def _default_path() -> Path:
    host = re.sub(r"[^\w.-]", "_", socket.gethostname())
    return Path(f"bpfexit-{host}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl.gz")
