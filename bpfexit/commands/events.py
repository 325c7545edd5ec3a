"""`bpfexit events`."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import click

from bpfexit.commands.values import INTERVAL, SECONDS, numbers
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats import event_counts as formats
from bpfexit.guests.event_owners import EventOwners
from bpfexit.guests.guests import warnings
from bpfexit.guests.kvm_counters import KvmCounters
from bpfexit.host import debugfs, preflight
from bpfexit.model.event_counts import EventInterval
from bpfexit.recording.log_file import LogFile
from bpfexit.run.event_source import EventSource
from bpfexit.run.loop import Run, intervals
from bpfexit.run.session import tell
from bpfexit.run.signals import Interrupts, has_terminal
from bpfexit.streams import write_pieces
from bpfexit.tracer.event_counters import EventCounters, events_of
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.event_counts import lines

EPILOG = """\b
Examples:
  bpfexit events                          KVM's counters per guest, every second
  bpfexit events -f 'halt|wakeup' 5 12    some of them, every 5 s for a minute
  bpfexit events -t -f '^kvm_' 1 1        tracepoints, once
  bpfexit events --csv -o /var/log/kvm.csv 10
                                          into a log; SIGHUP reopens it
"""


def _pattern(ctx: click.Context, param: click.Parameter, value: str) -> re.Pattern[str]:
    del ctx, param
    try:
        return re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is not a regular expression ({error})") from None


@click.command(epilog=EPILOG)
@click.argument("interval", type=INTERVAL, required=False)
@click.argument("count", type=click.IntRange(min=1), required=False)
@click.option("-i", "--interval", "interval_option", type=INTERVAL, help="Interval in seconds [1].")
@click.option("-d", "--duration", type=SECONDS, help="Stop after SECONDS.")
@click.option(
    "-p",
    "--pid",
    "pids",
    metavar="PID[,PID]",
    callback=numbers,
    help="Show only guests of these processes.",
)
@click.option(
    "-f",
    "--filter",
    "pattern",
    metavar="REGEX",
    callback=_pattern,
    default="",
    help="Show only events whose name matches REGEX; others cost nothing.",
)
@click.option(
    "-t",
    "--tracepoints",
    is_flag=True,
    help="Count the kvm:* tracepoints, too; each adds some 270 instructions when it fires.",
)
@click.option("-a", "--all", "with_zeros", is_flag=True, help="Show events at zero, too.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON object per interval.")
@click.option("--csv", "as_csv", is_flag=True, help="Print lines of CSV, one per event.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append to a log file; SIGHUP reopens it.",
)
def events(
    interval: float | None,
    count: int | None,
    interval_option: float | None,
    duration: float | None,
    pids: tuple[int, ...],
    pattern: re.Pattern[str],
    output: Path | None,
    *,
    tracepoints: bool,
    with_zeros: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show how often each of KVM's events happens per guest.

    KVM's own counters come from debugfs and cost nothing. Their names are the
    running kernel's. Gauges, such as the pages mapped, have no rate. With -t, the
    kvm:* tracepoints are counted as well, by the process in which they fire: for
    interrupts that a vhost worker injects, that is the worker.
    """
    if interval is not None and interval_option is not None:
        raise UsageError("give the interval once: as the first argument or with -i")
    if as_json and as_csv:
        raise UsageError("-j and --csv exclude each other")
    run = Run(interval or interval_option or 1.0, count, duration)
    with (
        Interrupts(hangup_reopens=bool(output) and not has_terminal()) as interrupts,
        ExitStack() as stack,
    ):
        tell(*warnings(pids))
        heading = formats.HEADING if as_csv else ""
        log = stack.enter_context(closing(LogFile(output, heading))) if output else None
        source = stack.enter_context(closing(_source(pattern, pids, tracepoints)))
        tell("counting on all of KVM's guests; Ctrl-C ends")
        write = log.write if log else write_pieces
        if heading and not log:
            write_pieces([heading])
        show = _shower(write, as_json=as_json, as_csv=as_csv, with_zeros=with_zeros, plain=log)
        for counts in intervals(source, run, interrupts):
            if log and interrupts.reopens():
                log.reopen()
            show(counts)


def _shower(
    write: Callable[[Iterable[str]], object],
    *,
    as_json: bool,
    as_csv: bool,
    with_zeros: bool,
    plain: object,
) -> Callable[[EventInterval], object]:
    """Return what shows an interval: as JSON, CSV or a table; `plain` without style."""
    if as_json:
        return lambda counts: write([formats.json_line(counts)])
    if as_csv:
        return lambda counts: write(formats.csv_lines(counts))
    if plain:
        return lambda counts: write(_plain(counts, with_zeros))
    console = PlainConsole.for_tables()

    def show(counts: EventInterval) -> None:
        for line in lines(counts, with_zeros=with_zeros):
            console.print(line, soft_wrap=True)
        console.print()

    return show


def _plain(counts: EventInterval, with_zeros: bool) -> Iterator[str]:
    yield from (f"{line.plain}\n" for line in lines(counts, with_zeros=with_zeros))
    yield "\n"


def _source(pattern: re.Pattern[str], pids: tuple[int, ...], tracepoints: bool) -> EventSource:
    """Open what is to be read. Raises `BpfexitError` if there is nothing."""
    owners = EventOwners()
    counters = _counters(pattern, pids, owners, needed=not tracepoints)
    counted = _tracepoints(pattern) if tracepoints else None
    return EventSource(owners, counters, counted, pids)


def _counters(
    pattern: re.Pattern[str], pids: tuple[int, ...], owners: EventOwners, *, needed: bool
) -> KvmCounters | None:
    try:
        folder = debugfs.find_or_mount()
    except BpfexitError as error:
        if needed:
            raise
        tell(f"no counters: {error}")
        return None
    return KvmCounters(folder, lambda name: bool(pattern.search(name)), owners.guest_name, pids)


def _tracepoints(pattern: re.Pattern[str]) -> EventCounters | None:
    ready = preflight.ready()
    tell(*ready.notes)
    names = [name for name in events_of(ready.tracefs) if pattern.search(name)]
    if not names:
        tell(f"no tracepoint matches {pattern.pattern!r}")
        return None
    return EventCounters(ready.tracefs, names)
