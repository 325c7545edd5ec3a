"""`bpfexit slow`."""

from pathlib import Path

import click

from bpfexit.commands.options import (
    blocked_option,
    check_input,
    filter_options,
    input_option,
    memory_map_options,
    rate_option,
    than_option,
)
from bpfexit.commands.values import SECONDS
from bpfexit.errors import BpfexitError
from bpfexit.formats.json import slow as slow_json
from bpfexit.guests.maps.qmp_socket import MapSources
from bpfexit.model.address_names import slow_exit_name
from bpfexit.model.filter import Filter
from bpfexit.model.guest import known_guests
from bpfexit.model.slow import Threshold
from bpfexit.model.snapshot import Snapshot
from bpfexit.run.loop import Run, intervals
from bpfexit.run.session import max_rows_option, opened, tell
from bpfexit.run.signals import Interrupts
from bpfexit.streams import write_line
from bpfexit.ui.slow import headings, line, summary, unreported

EPILOG = """\b
Examples:
  bpfexit slow                           every exit of 1 ms or longer, until Ctrl-C
  bpfexit slow --than 200us -d 10        exits over 200 µs, for ten seconds
  bpfexit slow --reason io,npf -j        exits with two reasons, as JSON lines
  bpfexit slow --blocked                 also how long each was blocked: locks, faults, disk
  bpfexit record --events slow --than 5ms -o night.jsonl.gz
  bpfexit slow --input night.jsonl.gz    the slow exits of a recording
"""

READ_EVERY_S = 0.25
"""The longest delay of a line."""


@click.command(epilog=EPILOG)
@click.option("-d", "--duration", type=SECONDS, help="Stop after SECONDS.")
@than_option
@rate_option
@blocked_option
@filter_options
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON object per exit.")
@input_option("Print the slow exits of a recording; --than, --rate and --blocked do not apply.")
@memory_map_options
@max_rows_option
def slow(
    duration: float | None,
    than_ns: int,
    rate: int,
    blocked: bool,
    pids: tuple[int, ...],
    vcpus: tuple[int, ...],
    tids: tuple[int, ...],
    names: tuple[str, ...],
    reasons: tuple[str, ...],
    as_json: bool,
    recording: Path | None,
    maps: MapSources,
    max_rows: int,
) -> None:
    """Print each slow exit: when, duration and its parts, guest, reason and address.

    Of the duration, a part is in user space; of all of it, the thread was waiting for a CPU for
    a part, and with --blocked, was blocked for another.

    HLT exits, in which the guest is idle, are never slow. On hosts whose KVM lacks
    kvm_exit (PVM), the durations are those of the trips to user space.
    """
    check_input(recording, duration, maps)
    wanted = Filter(pids, vcpus, reasons, tids=tids, blocked=blocked, guests=names)
    with Interrupts() as interrupts:
        source = opened(recording, wanted, max_rows, Threshold(than_ns, rate), maps)
        try:
            run = Run(READ_EVERY_S, None, duration)
            printed = _Printed(as_json=as_json)
            for snapshot in intervals(source, run, interrupts):
                printed.add(snapshot)
        finally:
            source.close()
    if printed.than_ns is None:
        raise BpfexitError(
            f"{recording} contains no slow exits: record them with `bpfexit record --events slow`"
        )
    tell(summary(printed.count, printed.reported, printed.than_ns))
    tell(*source.notes())


class _Printed:
    """Prints slow exits as they come, lines of text below their headings, and counts them."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.than_ns: int | None = None
        self.count = 0
        self.reported = 0

    def add(self, snapshot: Snapshot) -> None:
        """Print the slow exits of an interval; report missing ones at once."""
        slow = snapshot.slow
        if slow is None:
            return
        if self.than_ns is None and not self._as_json:
            write_line(headings(snapshot.origin))
        guest_of = known_guests(snapshot.guests)
        self.than_ns = slow.than_ns
        self.count += slow.count
        self.reported += len(slow.exits)
        for slow_exit in slow.exits:
            name = slow_exit_name(slow_exit, guest_of)
            write_line(
                slow_json.encode_line(slow_exit, name)
                if self._as_json
                else line(slow_exit, name, snapshot.origin)
            )
        if missing := unreported(slow):
            tell(missing)
