"""`bpfexit hist`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from bpfexit.commands.options import (
    SECONDS,
    check_input,
    dimensions,
    filter_options,
    input_option,
    memory_map_options,
)
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.hist import bpftrace as hist_bpftrace
from bpfexit.formats.hist import csv as hist_csv
from bpfexit.formats.hist import folded as hist_folded
from bpfexit.formats.hist import hgrm as hist_hgrm
from bpfexit.formats.hist import json as hist_json
from bpfexit.formats.hist import openmetrics as hist_openmetrics
from bpfexit.formats.hist import text as hist_text
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.host import preflight
from bpfexit.model.distribution import Distribution, distributions
from bpfexit.model.filter import Filter
from bpfexit.model.histogram import POWERS_OF_TWO_NS
from bpfexit.model.losses import LOSSES, NOT_COUNTED
from bpfexit.model.sample import LONGEST_INTERVAL_S
from bpfexit.model.snapshot import Origin, Snapshot
from bpfexit.model.view import ADDRESS_KINDS, DIMENSIONS, Query, default_dimensions
from bpfexit.recording.total import total
from bpfexit.run.loop import Run
from bpfexit.run.session import counted, max_rows_option, tell

ENCODERS: dict[str, Callable[[Sequence[Distribution]], str]] = {
    "text": hist_text.encode,
    "json": hist_json.encode,
    "csv": hist_csv.encode,
    "bpftrace": hist_bpftrace.encode,
    "openmetrics": hist_openmetrics.encode,
}
FORMATS = ("text", "json", "csv", "hgrm", "bpftrace", "openmetrics", "folded")
COARSE = frozenset({"text", "bpftrace", "openmetrics"})
"""Formats with a bucket for each power of two unless told otherwise."""

EPILOG = """\b
Formats; counts are exact in each:
  text         stars; edges in three digits
  json         a line each, integer edges in ns, the upper one exclusive
  csv          a line a bucket, edges as in json
  hgrm         HdrHistogram's percentiles, ns; one histogram only, and
               values no finer than a bucket
  bpftrace     as `bpftrace -f json` has it; bounds inclusive; no sums
  openmetrics  cumulative buckets in seconds, `le` inclusive
  folded       stacks guest;vCPU;reason;access for flame graphs; no latencies,
               only a weight

\b
Latencies are kept in four buckets to a power of two (16 ns wide below 64 ns);
text, bpftrace and openmetrics make one of them unless --buckets says fine.
Each exit is in one histogram: those at an address in that of the address.

\b
Examples:
  bpfexit hist -d 10                         stars, all guests, 10 s
  bpfexit record -o run.jsonl.gz -d 10       ten seconds into a file
  bpfexit hist --input run.jsonl.gz --by reason -n 1 -f hgrm > exits.hgrm
  bpfexit hist --input run.jsonl.gz -f folded > exits.folded
"""


@click.command(epilog=EPILOG)
@click.option("-d", "--duration", type=SECONDS, help="Stop after so many seconds [at Ctrl-C].")
@filter_options
@memory_map_options
@click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    help=f"A histogram for each of these, several at once: {', '.join(DIMENSIONS)}"
    " [reason and address; folded: vm, vcpu, reason and address].",
)
@click.option(
    "-n",
    "--rows",
    "limit",
    type=click.IntRange(min=0),
    default=0,
    metavar="ROWS",
    help="At most so many histograms, most time first; 0 for all.",
)
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True
)
@click.option("--buckets", type=click.Choice(["log2", "fine"]), help="How wide: see below.")
@click.option(
    "--weight",
    type=click.Choice(["count", "time"]),
    help="What folded stacks weigh: exits, or their time in ns, idle time aside [count].",
)
@input_option("Read this recording instead of this host.")
@max_rows_option
def hist(
    duration: float | None,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    reasons: tuple[str, ...],
    maps: MapSources,
    by: tuple[str, ...] | None,
    limit: int,
    form: str,
    buckets: str | None,
    weight: str | None,
    recording: Path | None,
    max_rows: int,
) -> None:
    """Print how long exits took, as histograms in the formats that other tools read.

    Counts for -d seconds or until Ctrl-C, or reads a recording.
    """
    check_input(recording, duration, maps)
    _check(form, buckets, weight)
    needs_latencies = form != "folded" or weight == "time"
    wanted = Filter(pids, vcpus, reasons)
    if recording:
        snapshot = _read(recording, wanted)
        _refuse_blind(snapshot.origin, needs_latencies)
    else:
        snapshot = _counted(wanted, duration, max_rows, maps, needs_latencies)
    _say_lost(snapshot)
    found = distributions(snapshot, Query(by or _default_by(form, snapshot.origin)))
    sys.stdout.write(_encoded(_cut(found, limit), form, buckets, weight))
    sys.stdout.flush()


def _check(form: str, buckets: str | None, weight: str | None) -> None:
    if weight and form != "folded":
        raise UsageError("--weight is for the format folded")
    if buckets and form == "folded":
        raise UsageError("--buckets: the format folded has none")


def _read(recording: Path, wanted: Filter) -> Snapshot:
    whole = total(recording, wanted)
    tell(*whole.notes)
    return whole.snapshot


def _counted(
    wanted: Filter,
    duration: float | None,
    max_rows: int,
    maps: MapSources,
    needs_latencies: bool,
) -> Snapshot:
    """Count on this host; return all of it."""
    backend = preflight.ready().backend
    _refuse_blind(Origin("", "", backend.module, backend.emits_exits), needs_latencies)
    return counted(wanted, Run(LONGEST_INTERVAL_S, duration=duration), max_rows, maps=maps)


def _say_lost(snapshot: Snapshot) -> None:
    """Say what makes the counts too small; what has no latency is said with the histograms."""
    for name in NOT_COUNTED:
        if number := getattr(snapshot.lost, name):
            tell(f"{number} {LOSSES[name]} ({name})")


def _refuse_blind(origin: Origin, needs_latencies: bool) -> None:
    if needs_latencies and not origin.emits_exits:
        raise BpfexitError(
            f"{origin.backend} emits no kvm_exit, so there are no latencies: "
            "only `--format folded`, by count, works there"
        )


def _default_by(form: str, origin: Origin) -> tuple[str, ...]:
    if form != "folded":
        return default_dimensions(origin.emits_exits)
    return ("vm", "vcpu", *(["reason"] if origin.emits_exits else []), *ADDRESS_KINDS)


def _cut(found: list[Distribution], limit: int) -> list[Distribution]:
    """Return the first of them; say what is missing, be it cut or never known."""
    kept = found[: limit or len(found)]
    if left := len(found) - len(kept):
        tell(f"{left} more {'is' if left == 1 else 'are'} left out (-n 0 shows all)")
    return kept


def _encoded(found: list[Distribution], form: str, buckets: str | None, weight: str | None) -> str:
    if form == "folded":
        weigh = hist_folded.by_time if weight == "time" else hist_folded.by_count
        return hist_folded.encode(found, weigh)
    _say_untimed(found)
    timed = [each for each in found if each.count]
    if buckets == "log2" or (buckets is None and form in COARSE):
        timed = [each.rebucketed(POWERS_OF_TWO_NS) for each in timed]
    return ENCODERS[form](timed) if form in ENCODERS else _percentiles(timed)


def _say_untimed(found: list[Distribution]) -> None:
    untimed = sum(each.exits - each.count for each in found)
    if not any(each.count for each in found):
        tell("there are no exits with a latency")
    elif untimed:
        tell(f"{untimed} exits have no latency counted here: idle, or their entry was not seen")


def _percentiles(timed: list[Distribution]) -> str:
    if not timed:
        raise BpfexitError("the format hgrm needs a histogram, and no exit has a latency")
    if len(timed) > 1:
        raise UsageError(
            f"the format hgrm holds one histogram, and there are {len(timed)}: "
            "choose with --by and --reason, or take the first with -n 1"
        )
    return hist_hgrm.encode(timed[0])
