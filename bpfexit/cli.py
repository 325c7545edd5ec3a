"""The command group, and the one place where errors become messages."""

import importlib
import os
import sys
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from bpfexit import __version__
from bpfexit.errors import BpfexitError
from bpfexit.streams import ReaderGoneError, guard_streams

COMMANDS = {
    "diagnose": "Report what makes guests slow, what to change and what to expect.",
    "diff": "Compare two recordings: what a change saved or cost.",
    "doctor": "Report what this host offers and what is missing.",
    "events": "Show how often each of KVM's events happens per guest.",
    "export": "Export metrics of all guests for Prometheus.",
    "guests": "List the KVM guests that are running.",
    "hist": "Print latency histograms that other tools read.",
    "record": "Record to a file, for hours or while a command runs.",
    "report": "Show a recording: all of it, a window, or rates over time.",
    "schema": "Print the JSON Schema of what bpfexit writes.",
    "slow": "Print single slow exits: the outliers behind a p99.",
    "testguest": "Run a tiny KVM guest that takes exits of known kinds and numbers.",
    "top": "Show live which exits guests take, where, and how long each takes.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called.

    The help of the group comes from `COMMANDS`, so neither `--help` nor one
    command pays for the imports of another.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without arguments, print the help on stderr: a usage error (for click, since 8.2)."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import `bpfexit.commands.NAME` and return its `NAME` command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"bpfexit.commands.{cmd_name}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a programming error
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest a similar one if it is unknown."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from bpfexit.suggest import unknown  # noqa: PLC0415 - late: rarely needed

            if args[0] == "guest":  # one letter must not decide between these two
                ctx.fail("`bpfexit guests` lists KVM guests, `bpfexit testguest` runs a tiny one")
            ctx.fail(unknown("command", args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands without importing one, and options."""
        commands = [
            CompletionItem(name, help=meaning)
            for name, meaning in sorted(COMMANDS.items())
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as error:
            raise BpfexitError(str(error)) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bpfexit")
def cli() -> None:
    """Show why a KVM guest is slow: its VM exits, where they go and what they cost."""


def main() -> NoReturn:
    """Run the command line; exit 0, 1 for a failure, 2 for usage."""
    try:
        _complete_streams()
        guard_streams()
        result = cli.main(prog_name="bpfexit", standalone_mode=False)
    except click.ClickException as error:
        _fail(_sentence(error), error.exit_code)
    except BpfexitError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except SystemExit:  # at a second signal
        _discard_output()
        raise
    except ReaderGoneError:
        _discard_output()
        sys.exit(0)
    except OSError as error:
        _fail(str(error), 1)
    sys.exit(result if isinstance(result, int) else 0)


def _complete_streams() -> None:
    """Open standard streams that a cron job or a service lacks: no later file may take theirs."""
    for _ in filter(_is_closed, range(3)):
        _open_null()  # which gets that number, the lowest that is free
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _open_null() -> None:
    try:
        os.open(os.devnull, os.O_RDWR)
    except OSError as error:
        raise BpfexitError(
            f"a standard stream is closed and {os.devnull} cannot be opened ({error.strerror}): "
            "open the stream or make the device"
        ) from None


def _discard_output() -> None:
    """Discard the rest of stdout: it can be neither written nor flushed at the end."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        null = os.memfd_create("null")
    os.dup2(null, 1)


def _sentence(error: click.ClickException) -> str:
    """Return the message in the style of the others; for a usage error, with where the help is."""
    message = error.format_message().rstrip(".")
    if not isinstance(error, click.UsageError):
        return message
    command = error.ctx.command_path if error.ctx else "bpfexit"
    return f"{message[:1].lower()}{message[1:]} (see `{command} --help`)"


def _fail(message: str, code: int) -> NoReturn:
    """Print an error; escape sequences in what it quotes, such as a file name, are escaped."""
    from bpfexit.model.text import clean  # noqa: PLC0415 - late: numpy is slow to load

    click.echo(f"bpfexit: {clean(message, 4096)}", err=True)
    _discard_output()
    sys.exit(code)
