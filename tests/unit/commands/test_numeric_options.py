"""No number that an option accepts breaks its command; every other one is a usage error."""

from math import isfinite
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bpfexit.cli import COMMANDS, LazyGroup, cli
from bpfexit.commands.values import Seconds
from bpfexit.errors import UsageError
from bpfexit.run.loop import Run
from bpfexit.testguest.mix import parse_mix, total, work_of
from bpfexit.testguest.session import Pace, assemble_all

STRANGE = ("", "nan", "inf", "-inf", "1e308", "0", "-1", "1" + "0" * 30, "9" * 5000, "x", "0x10")
HARMLESS = {"count", "limit"}
"""Of these any number will do, however large: they are only compared."""
CONTEXT = click.Context(click.Command("test"))


def numeric() -> list[tuple[str, click.Parameter]]:
    assert isinstance(cli, LazyGroup)
    commands = {name: cli.get_command(CONTEXT, name) for name in COMMANDS}
    return [
        (name, parameter)
        for name, command in commands.items()
        if command
        for parameter in command.params
        if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType)
    ]


def test_there_are_some() -> None:
    assert len(numeric()) > 20


@pytest.mark.parametrize(
    "parameter",
    [pytest.param(each, id=f"{command} {each.name}") for command, each in numeric()],
)
def test_a_strange_number_is_within_bounds_or_refused(parameter: click.Parameter) -> None:
    assert isinstance(parameter.type, click.IntRange | Seconds)  # a FloatRange takes nan
    kind: Any = parameter.type
    least, most = limits(kind)
    if parameter.name not in HARMLESS:
        assert most is not None
    for text in STRANGE:
        try:
            found = kind.convert(text, parameter, CONTEXT)
        except click.BadParameter:
            continue
        assert isfinite(found)
        assert found >= (least or 0)
        assert most is None or found <= most


def limits(kind: Any) -> tuple[float | None, float | None]:
    if not isinstance(kind, Seconds):
        return kind.min, kind.max
    least, most = map(kind.limits.seconds, kind.limits)
    return least, most


@pytest.mark.parametrize(
    "arguments",
    [
        ("-d", "inf"),
        ("-d", "nan"),
        ("-d", "1e308"),
        ("-d", "0"),
        ("-d", ""),
        ("--exits", "1" + "0" * 30),
        ("--rounds", str(1 << 64)),
        ("--rate", "1" + "0" * 21),
        ("--user-delay", "1" + "0" * 20),
        ("--vcpus", "65"),
    ],
)
def test_the_guest_refuses_it_before_anything_runs(arguments: tuple[str, str]) -> None:
    result = CliRunner().invoke(cli, ["testguest", *arguments])
    assert result.exit_code == 2, result.output
    assert f"Invalid value for '{arguments[0]}'" in result.output.replace(" / '--duration'", "")


def largest(name: str) -> int:
    (kind,) = (
        each.type for command, each in numeric() if (command, each.name) == ("testguest", name)
    )
    assert isinstance(kind, click.IntRange)
    assert kind.max is not None
    return int(kind.max)


@pytest.mark.parametrize("text", ["clock", "cpuid", "cpuid=4294967295", "all"])
def test_a_guest_is_made_for_the_largest_numbers(text: str) -> None:
    mix = parse_mix(text)
    pace = Pace(largest("rate"))
    assert assemble_all(work_of(mix, largest("exits")), 1, pace)
    most = largest("rounds") // total(mix)
    assert assemble_all(work_of(mix, most * total(mix)), 1, pace)


def test_rounds_of_more_exits_than_can_be_counted_are_refused() -> None:
    arguments = ("--mix", "cpuid=4294967295", "--rounds", str(largest("rounds")))
    result = CliRunner().invoke(cli, ["testguest", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "this mix allows at most 2147483648 rounds" in str(result.exception)


def test_a_run_of_any_number_of_intervals_goes_on() -> None:
    assert not Run(1.0, 10**30).ends(5, 5.0)


@pytest.mark.parametrize("text", ["0.01", "2h", "x", "inf"])
def test_a_time_beyond_its_limits_is_told_what_they_are(text: str) -> None:
    result = CliRunner().invoke(cli, ["top", "-i", text])
    assert result.exit_code == 2
    assert f"'{text}': expected a time from 0.1s to 3600s, such as" in result.output
