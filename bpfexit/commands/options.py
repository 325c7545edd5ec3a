"""Options that several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from bpfexit.commands.values import column, dimensions, names, nanoseconds, numbers
from bpfexit.errors import UsageError
from bpfexit.exporting.config import read_config
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.model.columns import SORT_KEYS
from bpfexit.model.view import DIMENSIONS

than_option = click.option(
    "--than",
    "than_ns",
    metavar="TIME",
    callback=nanoseconds,
    default="1ms",
    show_default=True,
    help="Report exits that take at least TIME.",
)
rate_option = click.option(
    "--rate",
    type=click.IntRange(min=1, max=1_000_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Report at most N exits per vCPU per second; the rest are only counted.",
)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def thread_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p and -v: whose exits to count."""
    options: list[Decorator] = [
        click.option(
            "-p",
            "--pid",
            "pids",
            metavar="PID[,PID]",
            callback=numbers,
            help="Count only guests of these processes.",
        ),
        click.option(
            "-v",
            "--vcpu",
            "vcpus",
            metavar="VCPU[,VCPU]",
            callback=numbers,
            help="Count only vCPUs with these numbers.",
        ),
    ]
    return _with(command, options)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p, -v and --reason: which exits to count."""
    reason = click.option(
        "--reason",
        "reasons",
        metavar="NAME[,NAME]",
        callback=names,
        help="Count only exits with these reasons, named as the kernel names them.",
    )
    return thread_options(reason(command))


exact_io_option = click.option(
    "--exact-io",
    is_flag=True,
    help="Count each access of string I/O (`rep ins`, `rep outs`), not its exits alone.",
)


def sockets(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Socket, ...]:
    """Read QMP sockets, each with or without the name of its guest."""
    del ctx, param
    return tuple(Socket.parse(value) for value in values)


def memory_map_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --qmp and --libvirt, as `maps`: the sources of the guests' memory maps."""

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
            help="Resolve device names through a guest's QMP socket. GUEST is"
            " its name or process ID, if the socket does not reveal it; may be repeated.",
        ),
        click.option(
            "--libvirt",
            is_flag=True,
            help="Resolve device names through libvirt.",
        ),
    ]
    return _with(with_maps, options)


def input_option(what: str, *aliases: str) -> Decorator:
    """Add --input, as `recording`: a file to read instead of this host; `what` is its help."""
    return click.option(
        "--input",
        *aliases,
        "recording",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=what,
    )


def check_input(recording: Path | None, duration: float | None, maps: MapSources) -> None:
    """Refuse options that do not apply to --input. Raises `UsageError`."""
    if recording and duration is not None:
        raise UsageError("--duration does not apply to --input, which reads the whole recording")
    if recording and maps:
        raise UsageError("--qmp and --libvirt do not apply to --input: they query running guests")


def _read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Make what a file says the defaults of the options; the command line goes first."""
    if path is None:
        return
    names = {
        option.removeprefix("--"): str(other.name)
        for other in ctx.command.params
        for option in other.opts
        if option.startswith("--") and other is not param
    }
    given = read_config(path, names)
    ctx.default_map = {names[option]: value for option, value in given.items()}


config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="Read options from a TOML file, by their long names; those given here go first.",
)

_BY = click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    help=f"Group lines; combine groups with commas: {', '.join(DIMENSIONS)}.",
)
_SORT = click.option(
    "--sort",
    metavar="COLUMN",
    callback=column,
    help=f"Sort by a column or its heading: {', '.join(SORT_KEYS)}"
    " [time, or rate where latencies are unknown].",
)
_ROWS = click.option(
    "-n",
    "--rows",
    "limit",
    type=click.IntRange(min=0),
    default=0,
    metavar="ROWS",
    help="Show at most ROWS lines; 0 shows all.",
)


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --by, --sort and -n: what to show of the counts."""
    return _with(command, [_BY, _SORT, _ROWS])


def comparison_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --by and -n: what to show of a comparison, which has its own order."""
    return _with(command, [_BY, _ROWS])


def _with(command: Callable[..., Any], options: list[Decorator]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
