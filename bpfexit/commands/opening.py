"""Opening the live kernel, with the notes and the one line that say so."""

import click

from bpfexit.host import guests, preflight
from bpfexit.sources.kernel import MAX_ROWS, KernelSource
from bpfexit.sources.source import Filter

max_rows_option = click.option(
    "--max-rows",
    type=click.IntRange(min=1, max=1 << 22),
    default=MAX_ROWS,
    show_default=True,
    help="Room for so many rows (vCPU, reason, access and address) in the kernel.",
)


def live_source(wanted: Filter, max_rows: int = MAX_ROWS) -> KernelSource:
    """Attach to this host's KVM. Raises `BpfexitError` where that cannot be."""
    ready = preflight.ready()
    for note in [*ready.notes, *guests.doubts(wanted.pids)]:
        click.echo(f"bpfexit: {note}", err=True)
    known = guests.Guests()
    source = KernelSource(ready.backend, ready.tracefs, wanted, known, max_rows)
    click.echo(f"bpfexit: counting on {ready.backend.module}; Ctrl-C ends", err=True)
    return source
