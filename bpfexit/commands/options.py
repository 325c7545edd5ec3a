"""Options that several commands share."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from bpfexit.commands.completion import list_of, name_of, running_guests
from bpfexit.commands.values import (
    ALIASES,
    bucket_edge,
    column,
    dimensions,
    names,
    nanoseconds,
    numbers,
)
from bpfexit.errors import UsageError
from bpfexit.events.halt import HALT
from bpfexit.exporting.config import read_config
from bpfexit.guests.maps.qmp_socket import MapSources, Socket
from bpfexit.guests.symbol_files import read_options
from bpfexit.model.columns import ON_REQUEST, SORT_KEYS, never_known
from bpfexit.model.symbols import GuestSymbols
from bpfexit.model.view import DIMENSIONS, OPT_IN_VIEWS

than_option = click.option(
    "--than",
    "than_ns",
    metavar="TIME",
    callback=nanoseconds,
    default="1ms",
    show_default=True,
    help="Report exits that take at least TIME.",
)
slow_only_option = click.option(
    "--than",
    "than_ns",
    metavar="TIME",
    callback=bucket_edge,
    help="Show only exits that take at least TIME, rounded up to the edge of a bucket.",
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
    """Add -p, -v, -t and --guest: whose exits to count."""
    options: list[Decorator] = [
        click.option(
            "-p",
            "--pid",
            "pids",
            metavar="PID[,PID]",
            callback=numbers,
            shell_complete=list_of(running_guests),
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
        click.option(
            "-t",
            "--tid",
            "tids",
            metavar="TID[,TID]",
            callback=numbers,
            help="Count only vCPUs of these threads.",
        ),
        click.option(
            "--guest",
            "names",
            metavar="NAME[,NAME]",
            callback=names,
            help="Count only guests with these names; * and ? match any characters.",
        ),
    ]
    return _with(command, options)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -p, -v, -t, --guest and --reason: which exits to count."""
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

blocked_option = click.option(
    "--blocked",
    is_flag=True,
    help="Measure the time in which vCPUs are blocked (locks, page faults, disk), in KVM and in"
    " user space; adds a program to each switch of the host's tasks.",
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


csv_option = click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print comma-separated values: a header, then one row per line.",
)


def check_form(as_json: bool, as_csv: bool) -> None:
    """Refuse two forms of output at once. Raises `UsageError`."""
    if as_json and as_csv:
        raise UsageError("choose one of --json and --csv")


def check_measured(keys: Iterable[str], by: Sequence[str], *, blocked: bool) -> None:
    """Refuse columns that no option measures. Raises `UsageError`."""
    unknown = never_known(
        has_exit_events=True,
        has_waiting=True,
        has_blocked=blocked,
        has_polling=HALT.dimension in by,
    )
    for key in keys:
        if key in unknown:
            raise UsageError(f"column {key!r} is measured on request only: add {ON_REQUEST[key]}")


def _symbols(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> GuestSymbols:
    del ctx, param
    return read_options(values)


guest_symbols_option = click.option(
    "--guest-symbols",
    "symbols",
    multiple=True,
    metavar="GUEST=FILE[+OFFSET]",
    callback=_symbols,
    help="Name a guest's instructions (--by rip) by its System.map, a copy of its"
    " /proc/kallsyms, or its vmlinux; OFFSET is that of KASLR. GUEST is its name or"
    " process ID; may be repeated.",
)


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
    """Make the values in a file the defaults of the options."""
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
    help="Read options from a TOML file, by their long names; the command line takes precedence.",
)

_BY = click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    shell_complete=list_of(lambda: (*DIMENSIONS, *ALIASES)),
    help=f"Group lines; combine groups with commas: {', '.join(DIMENSIONS)}.",
)
record_by_option = click.option(
    "--by",
    metavar="NAME[,NAME]",
    callback=dimensions,
    shell_complete=list_of(lambda: OPT_IN_VIEWS),
    help=f"Record further views for `report --by`: {', '.join(OPT_IN_VIEWS)}.",
)
_SORT = click.option(
    "--sort",
    metavar="COLUMN",
    callback=column,
    shell_complete=name_of(lambda: SORT_KEYS),
    help=f"Sort by a column or its heading: {', '.join(SORT_KEYS)}"
    " [time, or rate where latencies are unknown].",
)


def rows_option(what: str) -> Decorator:
    """Add -n, as `limit`; `what` is its help."""
    return click.option(
        "-n",
        "--rows",
        "limit",
        type=click.IntRange(min=0),
        default=0,
        metavar="ROWS",
        help=what,
    )


_ROWS = rows_option("Show at most ROWS lines; 0 shows all.")


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
