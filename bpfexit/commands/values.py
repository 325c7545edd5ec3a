"""How the values of options are read: lists, times, groupings, columns."""

import re
from typing import Any

import click

from bpfexit.exporting.address import Address
from bpfexit.model import sample
from bpfexit.model.at_least import edge_at_least
from bpfexit.model.columns import ALL_COLUMNS, SORT_KEYS, sort_key
from bpfexit.model.durations import TimeLimits, parse_duration
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.numbers import duration
from bpfexit.model.view import DIMENSIONS
from bpfexit.suggest import unknown

ALIASES = {"guest": "vm", "vmexit": "reason", "ioport": "port"}
"""Aliases of groupings: what people say, and what `perf kvm stat` does."""

_ADDRESS = re.compile(
    r"(?:(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):)?(?P<port>[0-9]{1,5})"
)
_MOST_PORT = 65535

_HOUR_NS = 3600 * 10**9


def numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read `1,2,3`, numbers from 0; none if the option is not given."""
    del ctx
    what = (
        "process IDs, for example 1234,5678" if param.name == "pids" else "numbers, for example 0,1"
    )
    try:
        parsed = tuple(int(part) for part in value.split(",")) if value is not None else ()
    except ValueError:
        raise click.BadParameter(f"{value!r}: expected {what}") from None
    if not all(0 <= number < 2**32 for number in parsed):
        raise click.BadParameter(f"{value!r}: a number is out of range; expected {what}")
    return parsed


def names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read `a,b`, without repetitions; none if the option is not given."""
    del ctx, param
    if value is None:
        return ()
    parsed = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    if not all(parsed):
        raise click.BadParameter(f"{value!r} contains an empty name")
    return parsed


def dimensions(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    """Read the names of groupings; None if the option is not given."""
    groupings = tuple(dict.fromkeys(ALIASES.get(name, name) for name in names(ctx, param, value)))
    for name in groupings:
        if name not in DIMENSIONS:
            raise click.BadParameter(unknown("grouping", name, DIMENSIONS))
    return groupings or None


def column(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read a column's key or heading; None if the option is not given."""
    del ctx, param
    if value is None:
        return None
    key = sort_key(value)
    if key is None:
        raise click.BadParameter(unknown("column", value, [*SORT_KEYS, *_headings()]))
    return key


def _headings() -> list[str]:
    return [column.title for column in ALL_COLUMNS if column.title not in SORT_KEYS]


def listen_address(ctx: click.Context, param: click.Parameter, value: str | None) -> Address | None:
    """Read `PORT`, `HOST:PORT` or `[IPV6]:PORT`; without a host, loopback. None: not given."""
    del ctx, param
    if value is None:
        return None
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match["port"]) > _MOST_PORT:
        raise click.BadParameter(
            f"{value!r} is not an address such as 127.0.0.1:25863 or [::1]:25863"
        )
    return Address(match["six"] or match["host"] or "127.0.0.1", int(match["port"]))


class Seconds(click.types.FloatParamType):
    """A time within limits, s, typed in seconds or with a unit: `500ms`, `2m`."""

    name = "seconds"

    def __init__(self, least: str, most: str) -> None:
        self.limits = TimeLimits(least, most)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a time; return seconds."""
        try:
            return self.limits.seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


SECONDS = Seconds("10ms", "8784h")
INTERVAL = Seconds(*sample.INTERVAL)


def nanoseconds(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Read a time with its unit, `200us`, `1.5ms`, `2s`: from a nanosecond to an hour."""
    del ctx, param
    try:
        ns = round(parse_duration(value))
    except ValueError:
        ns = 0
    if not 1 <= ns <= _HOUR_NS:
        raise click.BadParameter(
            f"{value!r}: expected a time such as 200us, 1ms or 2s, at most an hour"
        )
    return ns


def bucket_edge(ctx: click.Context, param: click.Parameter, value: str | None) -> int:
    """Read a time with its unit; return the bucket's edge that is not below, ns; 0 if not given.

    The edge is printed if it is not the time itself.
    """
    if value is None:
        return 0
    wanted = nanoseconds(ctx, param, value)
    edge = edge_at_least(wanted)
    if edge is None:
        longest = duration(float(LOWER_NS[-1]))
        raise click.BadParameter(f"{value!r}: histograms tell times up to {longest}")
    if edge != wanted:
        click.echo(
            f"bpfexit: showing exits of at least {edge:,} ns, the next edge of a bucket", err=True
        )
    return edge
