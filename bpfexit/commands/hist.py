"""`bpfexit hist`."""

from collections.abc import Iterable
from pathlib import Path

import click

from bpfexit.commands.options import (
    check_input,
    exact_io_option,
    filter_options,
    input_option,
    memory_map_options,
    rows_option,
)
from bpfexit.commands.values import SECONDS, dimensions
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.hist.registry import FORMATS, help_lines
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.host import preflight
from bpfexit.model.distribution import Distributions, distributions
from bpfexit.model.filter import Filter
from bpfexit.model.histogram import POWERS_OF_TWO_NS
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import DIMENSIONS, Query, default_dimensions, kinds_of
from bpfexit.run.loop import Run
from bpfexit.run.session import counted, max_rows_option, recorded, tell, tell_lost
from bpfexit.streams import write_pieces

READ_EVERY_S = 1.0
"""The interval after which the rows of guests that ended are free again."""

_COARSE = ", ".join(form.name for form in FORMATS.values() if form.log2)

EPILOG = f"""\b
Formats; counts are exact in all of them:
{help_lines()}

\b
Latencies are kept in four buckets per power of two (16 ns wide below 64 ns);
some formats ({_COARSE})
merge them into one unless --buckets is fine.
Each exit is in one histogram; exits at an address are in the address's histogram.

\b
Examples:
  bpfexit hist -d 10                         stars, all guests, 10 s
  bpfexit record -o run.jsonl.gz -d 10       ten seconds into a file
  bpfexit hist --input run.jsonl.gz --by reason -n 1 -f hgrm > exits.hgrm
  bpfexit hist --input run.jsonl.gz -f folded > exits.folded
"""


@click.command(epilog=EPILOG)
@click.option("-d", "--duration", type=SECONDS, help="Stop after SECONDS [until Ctrl-C].")
@filter_options
@memory_map_options
@click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    help=f"One histogram per group; combine groups with commas: {', '.join(DIMENSIONS)}"
    " [depends on the format].",
)
@rows_option("Print at most ROWS histograms, longest total time first; 0 prints all.")
@click.option(
    "-f", "--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
@click.option("--buckets", type=click.Choice(["log2", "fine"]), help="Bucket width: see below.")
@click.option(
    "--weight",
    type=click.Choice(["count", "time"]),
    help="Weight of folded stacks: exits, or their time in ns without idle time [count].",
)
@input_option("Read a recording instead of this host.")
@exact_io_option
@max_rows_option
def hist(
    duration: float | None,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    maps: MapSources,
    by: tuple[str, ...] | None,
    limit: int,
    form: str,
    buckets: str | None,
    weight: str | None,
    recording: Path | None,
    exact_io: bool,
    max_rows: int,
) -> None:
    """Print histograms of exit latencies in formats that other tools read.

    Counts for -d seconds or until Ctrl-C, or reads a recording.
    """
    check_input(recording, duration, maps)
    chosen, choice = FORMATS[form], Choice(buckets, weight)
    _check(chosen, choice)
    needs_latencies = chosen.needs_latencies(choice)
    wanted = Filter(pids, vcpus, reasons, kinds_of(by or ()), tids, exact_io, guests=names)
    if recording:
        snapshot = recorded(recording, wanted)
        _refuse_without_exits(snapshot.origin, needs_latencies)
    else:
        snapshot = _counted(wanted, duration, max_rows, maps, needs_latencies)
    tell_lost(snapshot.lost)
    histograms = distributions(snapshot, Query(by or _default_by(chosen, snapshot.origin)))
    write_pieces(_encoded(_cut(histograms, limit), chosen, choice))


def _check(form: Format, choice: Choice) -> None:
    for option in form.refused(choice):
        raise UsageError(f"--{option} does not apply to the format {form.name}")


def _counted(
    wanted: Filter,
    duration: float | None,
    max_rows: int,
    maps: MapSources,
    needs_latencies: bool,
) -> Snapshot:
    """Count on this host; return all of it."""
    backend = preflight.ready().backend
    _refuse_without_exits(Origin("", "", backend.module, backend.has_exit_events), needs_latencies)
    return counted(wanted, Run(READ_EVERY_S, duration=duration), max_rows, maps=maps)


def _refuse_without_exits(origin: Origin, needs_latencies: bool) -> None:
    if needs_latencies and not origin.has_exit_events:
        raise BpfexitError(
            f"{origin.backend} has no kvm_exit event, so there are no latencies; "
            "use `--format folded`, which counts"
        )


def _default_by(form: Format, origin: Origin) -> tuple[str, ...]:
    groups = (name for name in form.groups if origin.has_exit_events or name != "reason")
    return (*groups, *default_dimensions(has_exit_events=False))


def _cut(histograms: Distributions, limit: int) -> Distributions:
    """Return the first `limit`; report how many are left out."""
    kept = histograms[: limit or None]
    if left := len(histograms) - len(kept):
        tell(f"{left} more not shown (-n 0 shows all)")
    return kept


def _encoded(histograms: Distributions, form: Format, choice: Choice) -> Iterable[str]:
    if form.needs_latencies(choice):
        _report_no_latency(histograms)
        histograms = histograms.timed()
    if form.is_coarse(choice):
        histograms = histograms.rebucketed(POWERS_OF_TWO_NS)
    return form.encode(histograms, choice)


def _report_no_latency(histograms: Distributions) -> None:
    if not histograms.timed_exits:
        tell("no exit has a latency")
    elif number := histograms.all_exits - histograms.timed_exits:
        tell(f"{number} exits have no latency: idle time, or the entry was not seen")
