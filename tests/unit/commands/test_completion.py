"""What a shell is offered: commands, options and their values, as click's protocol prints it."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from bpfexit.advice.registry import RULES
from bpfexit.cli import COMMANDS, cli
from bpfexit.commands import completion
from bpfexit.commands.completion import list_of
from bpfexit.commands.values import ALIASES
from bpfexit.errors import BpfexitError
from bpfexit.guests import listing
from bpfexit.guests.listing import Listing
from bpfexit.model.columns import SORT_KEYS
from bpfexit.model.guest import Guest
from bpfexit.model.running_guest import RunningGuest
from bpfexit.model.view import DIMENSIONS
from tests.unit.commands.test_options import CONTEXT, PARAMETER


def completed(line: str) -> list[str]:
    """Return the values that a shell is offered for the last word of a command line."""
    _, *given, incomplete = line.split(" ")
    shell = ShellComplete(cli, {}, "bpfexit", "_BPFEXIT_COMPLETE")
    return [each.value for each in shell.get_completions(given, incomplete)]


def items(values: list[CompletionItem]) -> list[tuple[str, str | None]]:
    return [(each.value, each.help) for each in values]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("bpfexit ", sorted(COMMANDS)),
        ("bpfexit d", ["diagnose", "diff", "doctor"]),
        ("bpfexit --v", ["--version"]),
        ("bpfexit top --by ", [*DIMENSIONS, *ALIASES]),
        ("bpfexit top --by vm,m", ["vm,mmio", "vm,msr"]),
        ("bpfexit top --by vm,v", ["vm,vcpu", "vm,vmgexit", "vm,vmexit"]),
        ("bpfexit report --by rea", ["reason"]),
        ("bpfexit top --sort u", [key for key in SORT_KEYS if key.startswith("u")]),
        ("bpfexit diagnose --explain pm", ["pm-timer"]),
        ("bpfexit diagnose --explain ", [rule.name for rule in RULES]),
        ("bpfexit schema sn", ["snapshot"]),
        ("bpfexit hist -f bpft", ["bpftrace"]),
    ],
)
def test_values(line: str, values: list[str]) -> None:
    assert completed(line) == values


def test_bash_gets_them_and_nothing_else() -> None:
    words = {"COMP_WORDS": "bpfexit di", "COMP_CWORD": "1", "_BPFEXIT_COMPLETE": "bash_complete"}
    command = [sys.executable, "-m", "bpfexit"]
    done = subprocess.run(command, env=os.environ | words, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"plain,diagnose\nplain,diff\n", b"")


def test_guests_are_offered_by_process_with_harmless_names(monkeypatch: pytest.MonkeyPatch) -> None:
    guests = (RunningGuest(Guest(7, "web\n\x1b[2J"), 1), RunningGuest(Guest(70, "db"), 1))
    monkeypatch.setattr(listing, "list_guests", lambda: Listing(guests))
    complete = list_of(completion.running_guests)
    assert items(complete(CONTEXT, PARAMETER, "7")) == [("7", r"web\n\x1b[2J"), ("70", "db")]
    assert items(complete(CONTEXT, PARAMETER, "7,")) == [("7,70", "db")]


def test_processes_that_cannot_be_listed_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Listing:
        raise BpfexitError("no /proc")

    monkeypatch.setattr(listing, "list_guests", fail)
    assert completion.running_guests() == {}
