"""`bpfexit testguest`: run a tiny guest of our own that takes known exits."""

import json
import os
import sys

import click

from bpfexit.commands.values import SECONDS
from bpfexit.errors import UsageError
from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import Mix, parse_mix, total, work_of
from bpfexit.testguest.session import Pace, Session, assemble_all
from bpfexit.ui.console import PlainConsole

_PIPE_WIDTH = 160
"""Columns for a table that goes into a file or a pipe."""

_MOST_EXITS = (1 << 63) - 1
"""The guest counts rounds and exits in 64 bits; no guest lives to see so many."""
_HIGHEST_RATE = 10**9
_LONGEST_DELAY_US = 60 * 10**6
"""A minute: a guest that is to end waits for the access at hand."""


@click.command()
@click.option(
    "--mix",
    "mix_text",
    default="clock",
    show_default=True,
    metavar="MIX",
    help="A named mix, or OP[@ADDRESS][=WEIGHT],...; see --list.",
)
@click.option("--name", metavar="NAME", help="Name the guest, for whoever watches it.")
@click.option(
    "--exits",
    type=click.IntRange(1, _MOST_EXITS),
    metavar="N",
    help="End after exactly N exits of the mix.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, _MOST_EXITS),
    metavar="N",
    help="End after N rounds: the weights times N.",
)
@click.option(
    "-d",
    "--duration",
    type=SECONDS,
    metavar="SECONDS",
    help="End after so long, if not before.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, _HIGHEST_RATE),
    metavar="N",
    help="Take N exits a second, at most, instead of as many as possible.",
)
@click.option(
    "--vcpus",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="K",
    help="Run K vCPUs; --exits, --rounds and --rate are for each of them.",
)
@click.option(
    "--user-delay",
    type=click.IntRange(0, _LONGEST_DELAY_US),
    default=0,
    metavar="US",
    help="Sleep at least US microseconds in each access served by this command.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Print a line of JSON with the process and threads, and start at a line on stdin.",
)
@click.option("--linger", is_flag=True, help="Stay, after the result, until stdin ends.")
@click.option("--list", "list_", is_flag=True, help="List the operations and the named mixes.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print the result as a line of JSON.")
def testguest(
    *,
    mix_text: str,
    name: str | None,
    exits: int | None,
    rounds: int | None,
    duration: float | None,
    rate: int | None,
    vcpus: int,
    user_delay: int,
    wait: bool,
    linger: bool,
    list_: bool,
    as_json: bool,
) -> None:
    """Run a tiny KVM guest that takes exits of known kinds and numbers.

    It needs /dev/kvm and nothing else: no QEMU, no disk, no firmware. It counts every exit
    itself, so that its result is the truth to hold a tracer against. Without --exits,
    --rounds or --duration it runs until Ctrl-C, and then ends at the end of a round;
    a second Ctrl-C ends it at once, without a result.

    An operation is one exit on VMX and SVM. Not counted, beside what --list notes: the write
    to port 0xf4 that ends each vCPU and, with --rate, one at each pause; the page faults of
    the first touch of memory; and the host's own interrupts.

    \b
    bpfexit testguest                                        the clock-reading guest
    bpfexit testguest --mix pio -d 10                        the cheapest exit, flat out
    bpfexit testguest --mix pio-read-user@0x70=5,cpuid=2 --rounds 100
    """  # noqa: D301 - click's mark for lines to be left alone
    del name  # it is on the command line, where every guest's name is read
    console = PlainConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    if list_:
        console.print(report.operations_table(), "", report.mixes_table(), sep="\n")
        return
    if exits and rounds:
        raise UsageError("--exits and --rounds exclude each other: both say when to end")

    mix = parse_mix(mix_text)
    work = work_of(mix, _exits_of(mix, rounds) if rounds else exits)
    pace = Pace(rate, user_delay / 1e6)
    with (
        Machine(assemble_all(work, vcpus, pace)) as machine,
        Session(machine.vcpus, pace) as session,
    ):
        if wait:
            click.echo(json.dumps(report.ready_document(os.getpid(), session.tids)))
            if not sys.stdin.readline():
                return  # whoever was to start the guest is gone
        with session.stopping_on_signals():
            result = session.run(duration)
        if as_json:
            click.echo(json.dumps(report.result_document(mix, result)))
        else:
            console.print(report.result_table(mix, result))
            click.echo(report.summary(result), err=True)
        if linger:
            sys.stdin.read()


def _exits_of(mix: Mix, rounds: int) -> int:
    """Return the exits of these rounds. Raises `UsageError` for more than can be counted."""
    exits = rounds * total(mix)
    if exits > _MOST_EXITS:
        most = _MOST_EXITS // total(mix)
        raise UsageError(f"--rounds {rounds} takes too many exits: this mix allows {most} rounds")
    return exits
