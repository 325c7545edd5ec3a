"""`bpfexit testguest`: run a tiny guest of our own that takes known exits."""

import json
import os
import sys

import click

from bpfexit.commands.values import SECONDS, Seconds
from bpfexit.errors import UsageError
from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import Mix, parse_mix, total, work_of
from bpfexit.testguest.session import Pace, Session, assemble_all
from bpfexit.ui.console import PlainConsole

_PIPE_WIDTH = 160
"""Width of a table in a file or a pipe, in columns."""

_MOST_EXITS = (1 << 63) - 1
"""The guest counts rounds and exits in 64 bits; no guest runs long enough for more."""
_HIGHEST_RATE = 10**9
_LONGEST_DELAY_US = 60 * 10**6
"""A minute: a guest that ends waits for the current access."""
_HALT = Seconds("1us", "4s")
"""The timer of the guest's APIC counts nanoseconds in 32 bits."""


@click.command()
@click.option(
    "--mix",
    "mix_text",
    default="clock",
    show_default=True,
    metavar="MIX",
    help="A named mix, or OP[@ADDRESS][=WEIGHT],...; see --list.",
)
@click.option("--name", metavar="NAME", help="Name of the guest, as bpfexit shows it.")
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
    help="End after SECONDS.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, _HIGHEST_RATE),
    metavar="N",
    help="Take at most N exits per second [as many as possible].",
)
@click.option(
    "--vcpus",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="K",
    help="Run K vCPUs; --exits, --rounds and --rate apply to each of them.",
)
@click.option(
    "--user-delay",
    type=click.IntRange(0, _LONGEST_DELAY_US),
    default=0,
    metavar="US",
    help="Sleep at least US microseconds in each access to user space.",
)
@click.option(
    "--halt",
    "halt_s",
    type=_HALT,
    default="50us",
    show_default=True,
    metavar="TIME",
    help="Wake each hlt after TIME.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Print the process and threads as a line of JSON; start after a line on stdin.",
)
@click.option("--linger", is_flag=True, help="Keep running after the result until stdin ends.")
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
    halt_s: float,
    wait: bool,
    linger: bool,
    list_: bool,
    as_json: bool,
) -> None:
    """Run a tiny KVM guest that takes exits of known kinds and numbers.

    Needs /dev/kvm only: no QEMU, disk or firmware. The guest counts its own exits, so its
    result can verify a tracer. Without --exits, --rounds or --duration it runs until Ctrl-C,
    then completes its round; a second Ctrl-C ends it at once, without a result.

    An operation is one exit on VMX and SVM. Not counted, in addition to the notes of --list:
    the write to port 0xf4 that ends each vCPU and, with --rate, one at each pause; the page
    faults of the first access to memory; and the host's interrupts.

    \b
    bpfexit testguest                                        the clock-reading guest
    bpfexit testguest --mix pio -d 10                        the cheapest exit, flat out
    bpfexit testguest --mix pio-read-user@0x70=5,cpuid=2 --rounds 100
    """  # noqa: D301 - click's mark for lines to be left alone
    del name  # it is on the command line, from which every guest's name is read
    console = PlainConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    if list_:
        console.print(report.operations_table(), "", report.mixes_table(), sep="\n")
        return
    if exits and rounds:
        raise UsageError("--exits and --rounds exclude each other")

    mix = parse_mix(mix_text)
    work = work_of(mix, _exits_of(mix, rounds) if rounds else exits)
    pace = Pace(rate, user_delay / 1e6, round(halt_s * 1e9))
    with (
        Machine(assemble_all(work, vcpus, pace)) as machine,
        Session(machine.vcpus, pace) as session,
    ):
        if wait:
            click.echo(json.dumps(report.ready_document(os.getpid(), session.tids)))
            if not sys.stdin.readline():
                return  # the process that was to start the guest is gone
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
        raise UsageError(
            f"--rounds {rounds} takes too many exits: this mix allows at most {most} rounds"
        )
    return exits
