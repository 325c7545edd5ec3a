"""`bpfexit doctor`."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict

import click

from bpfexit.errors import BpfexitError
from bpfexit.host import preflight
from bpfexit.host.check import Check, Status
from bpfexit.host.guests import Guests
from bpfexit.sources.kernel import KernelSource, binding_version
from bpfexit.sources.source import Filter
from bpfexit.ui.checks import lines
from bpfexit.ui.console import PlainConsole


@click.command()
@click.option("-j", "--json", "as_json", is_flag=True, help="Print a JSON object a check.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Say what this host offers and what is missing, with what to do about it.

    It mounts tracefs when that is missing, and loads and attaches the programs
    for a moment. Exits with 1 when anything fails that counting exits needs.
    """
    checks = _checks()
    if as_json:
        _print_json(checks)
    else:
        _print(checks)
    if any(check.status is Status.FAIL for check in checks):
        ctx.exit(1)


def _checks() -> list[Check]:
    report = preflight.inspect()
    binding = _binding()
    return [*report.checks, binding, _programs(report, binding)]


def _binding() -> Check:
    try:
        return Check("bcc", Status.OK, binding_version())
    except BpfexitError as error:
        return Check("bcc", Status.FAIL, str(error))


def _programs(report: preflight.Report, binding: Check) -> Check:
    """Compile, load and attach for a moment: the one check that knows everything."""
    name = "programs"
    if report.failure or binding.status is Status.FAIL:
        return Check(name, Status.WARN, preflight.NOT_CHECKED)
    begun = time.monotonic()
    try:
        ready = report.ready()
        KernelSource(ready.backend, ready.tracefs, Filter(), Guests()).close()
    except BpfexitError as error:
        return Check(name, Status.FAIL, str(error))
    took = time.monotonic() - begun
    return Check(name, Status.OK, f"compiled, loaded, attached and detached in {took:.1f} s")


def _print_json(checks: Iterable[Check]) -> None:
    for check in checks:
        click.echo(json.dumps(asdict(check)))


def _print(checks: list[Check]) -> None:
    console = PlainConsole()
    width = console.width if console.is_terminal else None
    for line in lines(checks, width):
        console.print(line, soft_wrap=True)
