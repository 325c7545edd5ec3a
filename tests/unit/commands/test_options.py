"""What makes no sense on the command line is refused with exit code 2 before anything runs."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import bpfexit
from bpfexit.cli import cli
from bpfexit.commands.options import filter_options, view_options
from bpfexit.commands.values import INTERVAL, SECONDS, column, dimensions, names, numbers
from bpfexit.errors import UsageError
from bpfexit.formats.json.snapshot import encode
from bpfexit.model.column import Column
from bpfexit.model.columns import COLUMNS
from bpfexit.model.view import DIMENSIONS
from bpfexit.run.session import tell
from tests.unit.builders import pio, snapshot

CONTEXT = click.Context(click.Command("test"))
PARAMETER = click.Option(["--test"])


@click.command()
@filter_options
@view_options
@click.pass_context
def echo(context: click.Context, /, **_: Any) -> None:
    """Print what the options were read as."""
    for name, value in context.params.items():
        click.echo(f"{name}={value!r}")


def echoed(*arguments: str) -> dict[str, str]:
    result = CliRunner().invoke(echo, arguments)
    assert result.exit_code == 0, result.output
    return dict(line.split("=", 1) for line in result.output.splitlines())


@pytest.mark.parametrize(
    ("text", "found"),
    [(None, ()), ("1", (1,)), ("1,2,3", (1, 2, 3)), ("0, 7", (0, 7)), ("4294967295", (2**32 - 1,))],
)
def test_numbers(text: str | None, found: tuple[int, ...]) -> None:
    assert numbers(CONTEXT, PARAMETER, text) == found


@pytest.mark.parametrize("text", ["", ",", "1,", "x", "1.5", "-1", "4294967296", "9" * 5000])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(click.BadParameter):
        numbers(CONTEXT, PARAMETER, text)


def test_names_are_there_once_and_without_spaces() -> None:
    assert names(CONTEXT, PARAMETER, None) == ()
    assert names(CONTEXT, PARAMETER, "b, a,b") == ("b", "a")


@pytest.mark.parametrize("text", ["", " ", "a,", ",a", "a,,b"])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        names(CONTEXT, PARAMETER, text)


def test_dimensions_keep_their_order() -> None:
    assert dimensions(CONTEXT, PARAMETER, None) is None
    assert dimensions(CONTEXT, PARAMETER, ",".join(DIMENSIONS)) == DIMENSIONS
    assert dimensions(CONTEXT, PARAMETER, "port,vm") == ("port", "vm")


def test_an_unknown_dimension_is_refused_with_those_there_are() -> None:
    with pytest.raises(click.BadParameter, match=", ".join(DIMENSIONS)):
        dimensions(CONTEXT, PARAMETER, "vm,cpu")


@pytest.mark.parametrize("kind", [SECONDS, INTERVAL])
@pytest.mark.parametrize("text", ["0", "-1", "nan", "NaN", "inf", "1e300", "soon", ""])
def test_what_is_no_time(kind: click.FloatRange, text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind(text, PARAMETER, CONTEXT)


@pytest.mark.parametrize("kind", [SECONDS, INTERVAL])
def test_what_is_a_time(kind: click.FloatRange) -> None:
    assert kind("0.5", PARAMETER, CONTEXT) == 0.5
    assert kind("3600", PARAMETER, CONTEXT) == 3600


def test_options_come_through() -> None:
    chosen = ("-p", "1,2", "-v", "0", "--guest", "web*", "--reason", "HLT")
    found = echoed(*chosen, "--by", "vm", "--sort", "max", "-n", "3")
    assert found == {
        "pids": "(1, 2)",
        "vcpus": "(0,)",
        "tids": "()",
        "names": "('web*',)",
        "reasons": "('HLT',)",
        "by": "('vm',)",
        "sort": "'max'",
        "limit": "3",
    }


def test_without_options_everything_is_counted_and_nothing_chosen() -> None:
    found = echoed()
    assert [found[name] for name in ("pids", "vcpus", "names", "reasons")] == ["()"] * 4
    assert (found["by"], found["sort"], found["limit"]) == ("None", "None", "0")


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "exits.jsonl"
    path.write_text(encode(snapshot(pio(0x70, ns=(100,)))) + "\n")
    return str(path)


BAD = [
    ("--by", "nonsense"),
    ("--by", ""),
    ("--sort", "nonsense"),
    ("-n", "-1"),
    ("-i", "0"),
    ("-i", "nan"),
    ("0",),
    ("1", "0"),
    ("-d", "0"),
    ("-d", "nan"),
    ("-p", "qemu"),
    ("-v", "-1"),
    ("--reason", ","),
    ("--max-rows", "0"),
    ("--replay", "/nonexistent"),
    ("--nonsense",),
    ("1", "2", "3"),
]


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_top_refuses_bad_values(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, ["top", *arguments])
    assert result.exit_code == 2
    assert "Error: " in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("top", "-q"), "no such option"),
        (("top", "1", "2", "3"), "got unexpected extra argument (3) (see `bpfexit top --help`)"),
        (("tpo",), "unknown command 'tpo'; did you mean 'top'?"),
        (("guest",), "`bpfexit guests` lists KVM guests"),
        (("top", "--by", "prot"), "invalid value for '--by': unknown grouping 'prot'"),
        (("\x1b[2J",), r"unknown command '\x1b[2J'"),
        (("top", "--sort", "blocked"), "column 'blocked' is measured on request only: add --b"),
        (("top", "--columns", "polled"), "column 'polled' is measured on request only: add --by h"),
        (("report",), "report needs one recording"),
    ],
)
def test_a_usage_error_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"bpfexit: {message}")
    assert found.stderr.count("\n") == 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command itself: exit codes are given by the process, which also closes stdout."""
    command = [sys.executable, "-m", "bpfexit", *arguments]
    root = Path(bpfexit.__file__).parents[1]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("1", "-i", "2"), BAD[0]], ids=" ".join)
def test_usage_errors_exit_with_2_and_say_why(arguments: tuple[str, ...], recording: str) -> None:
    found = run("top", "--replay", recording, *arguments)
    assert found.returncode == 2
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    assert found.stderr.strip()


def test_a_broken_recording_exits_with_1(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("not a recording\n")
    found = run("top", "--replay", str(path))
    assert found.returncode == 1
    assert found.stderr.startswith(f"bpfexit: {path} is not a bpfexit recording, line 1: ")


def test_json_is_json_in_batch_mode_too(recording: str) -> None:
    both = run("top", "-j", "-b", "--replay", recording)
    assert (both.returncode, both.stdout) == (0, run("top", "-j", "--replay", recording).stdout)


def test_a_recording_is_replayed_as_it_was(recording: str) -> None:
    replayed, written = (
        json.loads(text)
        for text in (run("top", "-j", "--replay", recording).stdout, Path(recording).read_text())
    )
    assert [row.pop("name") for row in replayed["rows"]] == ["rtc-index"]
    assert [row.pop("named_by") for row in replayed["rows"]] == ["platform"]
    assert replayed == written
    assert "IO_INSTRUCTION" in run("top", "-b", "--replay", recording).stdout


@pytest.mark.parametrize(
    "command", ["top --replay", "hist --input", "slow --input", "diagnose --input"]
)
@pytest.mark.parametrize("asked", [("--libvirt",), ("--qmp", "web=/run/qmp")])
def test_a_recording_is_not_asked_for_names(
    command: str, asked: tuple[str, ...], recording: str
) -> None:
    failed = CliRunner().invoke(cli, [*command.split(), recording, *asked]).exception
    assert str(failed) == "--qmp and --libvirt do not apply to --input: they query running guests"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("record", "--than", "5ms"), "apply to --events slow only"),
        (("record", "--rate", "7"), "apply to --events slow only"),
        (("slow", "--input", "RECORDING", "-d", "5"), "reads the whole recording"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    arguments: tuple[str, ...], why: str, recording: str
) -> None:
    given = [recording if each == "RECORDING" else each for each in arguments]
    failed = CliRunner().invoke(cli, given).exception
    assert isinstance(failed, UsageError)
    assert why in str(failed)


@pytest.mark.parametrize("name", cli.list_commands(CONTEXT))
def test_every_help_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(cli, [name, "--help"]).output
    assert re.search(rf"^ +bpfexit {name}\b", shown, re.MULTILINE)


@pytest.mark.parametrize("command", ["report", "hist -f folded --input", "slow --input", "diff"])
def test_the_name_of_a_file_is_harmless(command: str, recording: str, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mcut"
    path.write_text(Path(recording).read_text() + '{"schema"')
    given = [*command.split(), *([recording] if command == "diff" else []), str(path)]
    said = run(*given).stderr
    assert r"\x1b[31mcut" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("1.5", 1.5), ("1m", 60), (" 3 s ", 3)]
)
def test_a_time_may_have_a_unit(text: str, seconds: float) -> None:
    assert SECONDS(text, PARAMETER, CONTEXT) == seconds


def test_guest_is_accepted_where_vm_is() -> None:
    assert dimensions(CONTEXT, PARAMETER, "guest,reason,vm") == ("vm", "reason")


@pytest.mark.parametrize("each", COLUMNS, ids=lambda each: each.key)
def test_a_heading_sorts_as_its_column_does(each: Column) -> None:
    assert column(CONTEXT, PARAMETER, each.title) == each.key
    assert column(CONTEXT, PARAMETER, each.key.upper()) == each.key


def test_typos_are_met_halfway() -> None:
    with pytest.raises(click.BadParameter, match="unknown grouping 'vms'; did you mean 'vm'"):
        dimensions(CONTEXT, PARAMETER, "vms")
    with pytest.raises(click.BadParameter, match="unknown column 'p9'; did you mean 'p99'"):
        column(CONTEXT, PARAMETER, "p9")
    failed = CliRunner().invoke(cli, ["tpo"])
    assert failed.exit_code == 2
    assert "unknown command 'tpo'; did you mean 'top'?" in failed.output


def test_a_note_sends_no_escape_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\x1b[2Jb", "c\nd")
    assert capsys.readouterr().err == "bpfexit: a\\x1b[2Jb\nbpfexit: c\\nd\n"
