"""`bpfexit doctor`."""

import time
from contextlib import closing

import click

from bpfexit.commands.values import SECONDS
from bpfexit.errors import BpfexitError, UsageError
from bpfexit.formats.json import checks as checks_json
from bpfexit.formats.json import cost as cost_json
from bpfexit.guests.guests import Guests
from bpfexit.host import bpf_statistics, preflight
from bpfexit.host.check import Check, Status
from bpfexit.model.filter import Filter
from bpfexit.run.session import live_source
from bpfexit.run.signals import Interrupts
from bpfexit.tracer import cache
from bpfexit.tracer.compiling import bcc_version
from bpfexit.tracer.host_plan import exit_check
from bpfexit.tracer.source import KernelSource
from bpfexit.ui.checks import lines
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.cost import overhead_table

OVERHEAD_S = 2.0


EPILOG = """\b
Examples:
  bpfexit doctor                    does this host have all that bpfexit needs?
  bpfexit doctor --overhead -d 10   what each program costs on this host
"""


@click.command(epilog=EPILOG)
@click.option("--overhead", is_flag=True, help="Measure the cost of bpfexit itself instead.")
@click.option("-d", "--duration", type=SECONDS, help=f"Measure for SECONDS [{OVERHEAD_S:g}].")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON lines.")
@click.pass_context
def doctor(ctx: click.Context, *, overhead: bool, duration: float | None, as_json: bool) -> None:
    """Report what this host offers, what is missing, and what to do about it.

    Mounts tracefs if it is not mounted, and loads and attaches the programs
    briefly. Exits with 1 if a check fails that counting exits depends on.

    With --overhead, counts for a while and reports how often and how long each
    program ran, from the kernel's BPF statistics.
    """
    if overhead:
        _overhead(duration or OVERHEAD_S, as_json=as_json)
        return
    if duration is not None:
        raise UsageError("-d applies to --overhead only")
    checks = _checks()
    if as_json:
        click.echo("\n".join(map(checks_json.encode, checks)))
    else:
        _print(checks)
    if any(check.status is Status.FAIL for check in checks):
        ctx.exit(1)


def _overhead(duration: float, *, as_json: bool) -> None:
    with Interrupts() as interrupts, closing(live_source(Filter())) as source:
        with source.measuring_cost():
            interrupts.wait(duration)
        snapshot = source.next()
    if snapshot.cost.programs is None:
        raise BpfexitError(bpf_statistics.check().sentence)
    if as_json:
        for line in cost_json.encode(snapshot, snapshot.cost.programs):
            click.echo(line)
    else:
        PlainConsole().print(overhead_table(snapshot, snapshot.cost.programs))


def _checks() -> list[Check]:
    report = preflight.inspect()
    binding = _binding()
    exits = not report.failure and report.backend and report.backend.has_exit_events
    way = [exit_check(report.ready())] if exits else []
    programs = _programs(report, binding)  # which are then in the cache
    return [*report.checks, *way, bpf_statistics.check(), binding, programs, cache.check()]


def _binding() -> Check:
    try:
        return Check("bcc", Status.OK, bcc_version())
    except BpfexitError as error:
        return Check("bcc", Status.FAIL, str(error))


def _programs(report: preflight.Report, binding: Check) -> Check:
    """Compile, load and attach briefly: the one check that covers everything."""
    name = "programs"
    if report.failure or binding.status is Status.FAIL:
        return Check(name, Status.WARN, preflight.NOT_CHECKED)
    begun = time.monotonic()
    try:
        ready = report.ready()
        KernelSource(ready.backend, ready.tracefs, Filter(), Guests(), anew=True).close()
    except BpfexitError as error:
        return Check(name, Status.FAIL, str(error))
    took = time.monotonic() - begun
    return Check(name, Status.OK, f"compiled, loaded, attached and detached in {took:.1f} s")


def _print(checks: list[Check]) -> None:
    console = PlainConsole()
    width = console.width if console.is_terminal else None
    for line in lines(checks, width):
        console.print(line, soft_wrap=True)
