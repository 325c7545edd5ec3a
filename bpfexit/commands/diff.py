"""`bpfexit diff`."""

from pathlib import Path

import click

from bpfexit.commands.options import comparison_options, filter_options
from bpfexit.formats.json import diff as diff_json
from bpfexit.model.diff import compare
from bpfexit.model.filter import Filter
from bpfexit.model.view import default_query, kinds_of
from bpfexit.run.session import recorded
from bpfexit.ui import diff_table
from bpfexit.ui.console import PlainConsole

EPILOG = """\b
Examples:
  bpfexit record -o before.jsonl.gz -d 60     a minute as it is
  bpfexit record -o after.jsonl.gz -d 60      and with the change
  bpfexit diff before.jsonl.gz after.jsonl.gz
  bpfexit diff --by vm,reason -n 20 before.jsonl.gz after.jsonl.gz
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@filter_options
@comparison_options
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON lines.")
def diff(
    before: Path,
    after: Path,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    by: tuple[str, ...] | None,
    limit: int,
    as_json: bool,
) -> None:
    """Compare the recordings BEFORE and AFTER a change: what it saved or cost, line by line.

    All numbers are per second; lines are sorted by the time saved or lost. Guests are
    matched by name, because processes differ; without vm in --by, all guests are summed.

    A latency is "faster" or "slower" if three criteria agree, otherwise "noise": the
    Mann-Whitney U test on the binned latencies (p below 0.001, divided by the number of
    lines compared), its effect size (an exit after takes longer than one before with a
    probability of at least 0.56, or at most 0.44) and the mean, by a tenth or more. Fewer
    than 20 exits on a side are too few to decide. The test assumes independent exits, which
    they are not, and cannot distinguish a changed guest from a changed host: if many lines
    are slower at once, the host is slower, and two recordings before the change show how
    much of that is noise. It does not detect a change of rare slow exits alone: compare p99.
    """
    wanted = Filter(pids, vcpus, reasons, kinds_of(by or ()), tids, guests=names)
    sides = recorded(before, wanted), recorded(after, wanted)
    has_exit_events = all(side.origin.has_exit_events for side in sides)
    comparison = compare(*sides, default_query(has_exit_events, by, None, limit))
    if as_json:
        for line in diff_json.encode(comparison):
            click.echo(line)
        return
    console = PlainConsole.for_tables()
    console.print(diff_table.header(comparison, (str(before), str(after))))
    for part in diff_table.table(comparison, console.lines_width):
        console.print(part)
