"""Options from a file: the command line's names and values, in TOML."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bpfexit.commands.options import config_option, memory_map_options, thread_options
from bpfexit.commands.values import INTERVAL, listen_address
from bpfexit.errors import UsageError


def options_of(text: str, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Return the options of a command that is given this file and these arguments."""
    path = tmp_path / "export.toml"
    path.write_text(text)
    found: dict[str, Any] = {}

    @click.command()
    @click.option("--listen", callback=listen_address)
    @click.option("-i", "--interval", type=INTERVAL, default=5.0)
    @click.option("--fine-buckets", is_flag=True)
    @thread_options
    @memory_map_options
    @config_option
    def command(**options: Any) -> None:
        found.update(options)

    result = CliRunner().invoke(command, ["--config", str(path), *arguments])
    if result.exception:
        raise result.exception
    assert result.exit_code == 0, result.output
    return found


def test_a_file_gives_what_the_command_line_could(tmp_path: Path) -> None:
    text = (
        'listen = "[::1]:9"\ninterval = 2.5\nfine-buckets = true\npid = 7\nqmp = ["web=/run/q"]\n'
    )
    found = options_of(text, tmp_path)
    assert found["listen"] == ("::1", 9)
    assert (found["interval"], found["fine_buckets"], found["pids"]) == (2.5, True, (7,))
    assert [str(each.path) for each in found["maps"].sockets] == ["/run/q"]


def test_the_command_line_goes_first(tmp_path: Path) -> None:
    assert options_of("interval = 2", tmp_path, "-i", "3")["interval"] == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intervall = 1", "unknown option intervall"),
        ("config = 'x'", "unknown option config"),
        ("interval", "is not a TOML file"),
        ("[interval]", "must be a value, not a table"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options_of(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "address"),
    [("80", ("127.0.0.1", 80)), (":80", ("127.0.0.1", 80)), ("[::]:1", ("::", 1))],
)
def test_addresses(tmp_path: Path, text: str, address: tuple[str, int]) -> None:
    assert options_of("", tmp_path, "--listen", text)["listen"] == address


@pytest.mark.parametrize("text", ["", "x", "1.2.3.4", "a:99999", "::1:80", "[::1]", "1:2:3", "-1"])
def test_what_is_not_an_address_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SystemExit):
        options_of("", tmp_path, f"--listen={text}")
