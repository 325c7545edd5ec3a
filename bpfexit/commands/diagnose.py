"""`bpfexit diagnose`."""

import sys
from pathlib import Path

import click
from rich.console import RenderableType

from bpfexit.advice import diagnosis as advice
from bpfexit.advice.registry import RULES
from bpfexit.advice.registry import rule as rule_named
from bpfexit.commands.completion import name_of
from bpfexit.commands.options import check_input, input_option, memory_map_options, thread_options
from bpfexit.commands.values import SECONDS
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.json import diagnosis as diagnosis_json
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import clean
from bpfexit.run.loop import Run
from bpfexit.run.session import counted, max_rows_option, recorded
from bpfexit.streams import write_pieces
from bpfexit.suggest import unknown
from bpfexit.ui import diagnosis as findings
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.countdown import Countdown
from bpfexit.ui.rules import explained, rules_table

DURATION_S = 10.0
PROGRESS_S = 1.0

EPILOG = """\b
Examples:
  bpfexit diagnose                        ten seconds of all guests
  bpfexit diagnose -d 60 -p "$(pgrep -o qemu)"
                                          a minute of one
  bpfexit diagnose --libvirt              with the names that libvirt's guests
                                          have for their addresses
  bpfexit record -o run.jsonl.gz -d 60    a minute into a file
  bpfexit diagnose --input run.jsonl.gz   and diagnose it
  bpfexit diagnose --explain pm-timer     what a rule looks for, and why
"""


@click.command(epilog=EPILOG)
@click.option("-d", "--duration", type=SECONDS, help=f"Count for SECONDS [{DURATION_S:.0f}].")
@thread_options
@memory_map_options
@input_option("Diagnose a recording instead of this host.")
@max_rows_option
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.option("--rules", "lists", is_flag=True, help="List the rules.")
@click.option(
    "--explain",
    metavar="RULE",
    shell_complete=name_of(lambda: {each.name: each.looks_for for each in RULES}),
    help="Explain a rule: threshold, remedy, limits, references.",
)
def diagnose(
    duration: float | None,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    maps: MapSources,
    recording: Path | None,
    max_rows: int,
    as_json: bool,
    lists: bool,
    explain: str | None,
) -> None:
    """Report what makes the guests slow, what to change, and what to expect.

    Counts for -d seconds or until Ctrl-C, or reads a recording. Findings are sorted by
    cost. What the host and QEMU's command line already enable is not recommended.
    """
    console = PlainConsole()
    if lists or explain is not None:
        console.print(_explained(explain) if explain is not None else rules_table(RULES))
        return
    check_input(recording, duration, maps)
    wanted = Filter(pids, vcpus, tids=tids, guests=names)
    snapshot = _read(recording, wanted) if recording else _counted(wanted, duration, max_rows, maps)
    result = advice.diagnose(snapshot)
    if as_json:
        write_pieces(diagnosis_json.encode(result))
        return
    console.print(findings.diagnosis(result))


def _explained(name: str) -> RenderableType:
    known = rule_named(name)
    if known is None:
        raise UsageError(unknown("rule", clean(name), [rule.name for rule in RULES]))
    return explained(known)


def _counted(wanted: Filter, duration: float | None, max_rows: int, maps: MapSources) -> Snapshot:
    """Count on this host, with a countdown on a terminal."""
    lasts = DURATION_S if duration is None else duration
    shown = Countdown(sys.stderr, lasts)
    try:
        return counted(wanted, Run(PROGRESS_S, duration=lasts), max_rows, shown.show, maps)
    finally:
        shown.end()


def _read(path: Path, wanted: Filter) -> Snapshot:
    snapshot = recorded(path, wanted)
    if only := snapshot.only:
        raise BpfexitError(
            f"{path} was recorded with --reason {', '.join(only)}: a diagnosis needs all reasons"
        )
    return snapshot
