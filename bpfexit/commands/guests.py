"""`bpfexit guests`."""

import os

import click

from bpfexit.formats.json import guests as guests_json
from bpfexit.guests.listing import Listing, list_guests
from bpfexit.ui.console import PlainConsole
from bpfexit.ui.guests import lines

EPILOG = """\b
Examples:
  bpfexit guests                      list the guests of this host
  bpfexit guests | less -S            with all columns and full names
  bpfexit guests -j | jq -r .pid      process IDs, for scripts
  bpfexit guests -j | jq 'select(.memory_bytes > 64e9)'
                                      the large ones
"""


@click.command(epilog=EPILOG)
@click.option("-j", "--json", "as_json", is_flag=True, help="Print a JSON object per guest.")
def guests(*, as_json: bool) -> None:
    """List the KVM guests that are running on this host.

    A guest is a process that has a KVM virtual machine open. The table shows its
    name and the source of the name, its process, VMM, vCPUs, configured and
    resident memory, running time and UUID. Resident memory does not include
    hugetlb pages. A value that is unknown is shown as "-", and is null in JSON.

    A narrow terminal hides the UUID first, then the source of the name, then the
    resident memory, and shortens long names in the middle. A pipe gets everything.
    """
    listing = list_guests()
    if as_json:
        for guest in listing.guests:
            click.echo(guests_json.encode(guest))
    else:
        _print(listing)
    if listing.not_examined:
        click.echo(f"bpfexit: {_not_examined(listing.not_examined)}", err=True)


def _print(listing: Listing) -> None:
    console = PlainConsole.for_tables()
    if not listing.guests:
        console.print("No KVM guest was found." if listing.not_examined else _NONE)
        return
    width = console.width if console.is_terminal else None
    for line in lines(listing.guests, width):
        console.print(line, soft_wrap=True)


_NONE = "No KVM guest is running."


def _not_examined(number: int) -> str:
    processes = "1 process" if number == 1 else f"{number} processes"
    advice = "" if os.geteuid() == 0 else "; run as root or with CAP_SYS_PTRACE"
    return f"{processes} could not be examined{advice}"
