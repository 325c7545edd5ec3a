"""Options that several commands share, and how their values are read."""

import re
from collections.abc import Callable
from functools import wraps
from math import isnan
from pathlib import Path
from typing import Any

import click

from bpfexit.errors import UsageError
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.model.columns import SORT_KEYS
from bpfexit.model.sample import LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S
from bpfexit.model.view import DIMENSIONS


def numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read `1,2,3`: numbers from 0 on; none when the option is not given."""
    del ctx, param
    try:
        found = tuple(int(part) for part in value.split(",")) if value is not None else ()
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 1,2") from None
    if not all(0 <= number < 2**32 for number in found):
        raise click.BadParameter(f"{value!r} holds a number that is out of range")
    return found


def names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read `a,b`, each once; none when the option is not given."""
    del ctx, param
    if value is None:
        return ()
    found = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    if not all(found):
        raise click.BadParameter(f"{value!r} holds an empty name")
    return found


def dimensions(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    """Read the names of dimensions; None when the option is not given."""
    found = names(ctx, param, value)
    for name in found:
        if name not in DIMENSIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(DIMENSIONS)}")
    return found or None


class Seconds(click.FloatRange):
    """A range of times. `nan` is in none, though it is neither below nor above any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number of seconds."""
        seconds = super().convert(value, param, ctx)
        if isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


SECONDS = Seconds(min=0.01, max=86400 * 366)
INTERVAL = Seconds(min=SHORTEST_INTERVAL_S, max=LONGEST_INTERVAL_S)

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}


def nanoseconds(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Read a time with its unit, `200us`, `1.5ms`, `2s`: from a nanosecond to an hour."""
    del ctx, param
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s)", value.strip(), re.ASCII)
    ns = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if not 1 <= ns <= 3600 * 10**9:
        raise click.BadParameter(f"{value!r} is no time such as 200us, 1ms or 2s, up to an hour")
    return ns


than_option = click.option(
    "--than",
    "than_ns",
    metavar="TIME",
    callback=nanoseconds,
    default="1ms",
    show_default=True,
    help="Exits are slow that take so long or longer.",
)
rate_option = click.option(
    "--rate",
    type=click.IntRange(min=1, max=1_000_000),
    default=100,
    show_default=True,
    help="Tell of so many a vCPU and second at most; the others are counted.",
)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def thread_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p and -v: of whom to count exits at all."""
    options: list[Decorator] = [
        click.option(
            "-p",
            "--pid",
            "pids",
            metavar="PID[,PID]",
            callback=numbers,
            help="Only guests of these processes.",
        ),
        click.option(
            "-v",
            "--vcpu",
            "vcpus",
            metavar="VCPU[,VCPU]",
            callback=numbers,
            help="Only vCPUs of these numbers.",
        ),
    ]
    return _with(command, options)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p, -v and --reason: which exits to count at all."""
    reason = click.option(
        "--reason",
        "reasons",
        metavar="NAME[,NAME]",
        callback=names,
        help="Only exits of these reasons, named as the kernel names them.",
    )
    return thread_options(reason(command))


def sockets(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Socket, ...]:
    """Read QMP sockets, each with the guest it is of or without."""
    del ctx, param
    return tuple(Socket.parse(value) for value in values)


def memory_map_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --qmp and --libvirt: whom to ask what lies at the guests' addresses, as `maps`."""

    @wraps(command)
    def with_maps(*args: Any, sockets: tuple[Socket, ...], libvirt: bool, **others: Any) -> Any:
        return command(*args, maps=MapSources(sockets, libvirt), **others)

    options: list[Decorator] = [
        click.option(
            "--qmp",
            "sockets",
            multiple=True,
            metavar="[GUEST=]PATH",
            callback=sockets,
            help="Ask a guest's QEMU what lies at its addresses, on this QMP socket. GUEST is"
            " its name or process, where the socket does not say; may be given several times.",
        ),
        click.option(
            "--libvirt",
            is_flag=True,
            help="Ask libvirt what lies at the addresses of its guests.",
        ),
    ]
    return _with(with_maps, options)


def input_option(what: str) -> Decorator:
    """Add --input, as `recording`: a file to read instead of this host; `what` says what for."""
    return click.option(
        "--input",
        "recording",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=what,
    )


def check_input(recording: Path | None, duration: float | None, maps: MapSources) -> None:
    """Refuse with --input what only makes sense on this host. Raises `UsageError`."""
    if recording and duration is not None:
        raise UsageError("--duration is for counting on this host: a recording is read whole")
    if recording and maps:
        raise UsageError("--qmp and --libvirt are for guests of this host, not for --input")


_BY = click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    help=f"Group by these, several at once: {', '.join(DIMENSIONS)}.",
)
_SORT = click.option(
    "--sort",
    type=click.Choice(SORT_KEYS),
    help="Order: by time, or by rate where times are not known.",
)
_ROWS = click.option(
    "-n",
    "--rows",
    "limit",
    type=click.IntRange(min=0),
    default=0,
    metavar="ROWS",
    help="Show at most so many lines; 0 for all.",
)


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --by, --sort and -n: what to show of what was counted."""
    return _with(command, [_BY, _SORT, _ROWS])


def comparison_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --by and -n: what to show of a comparison, which has its own order."""
    return _with(command, [_BY, _ROWS])


def _with(command: Callable[..., Any], options: list[Decorator]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
