"""Write the man pages of all commands: `python docs/man.py FOLDER`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click_man.core import generate_man_page

from bpfexit.cli import COMMANDS, cli
from bpfexit.version import __version__

_EXIT_STATUS = (
    (0, "Success, also when Ctrl-C or SIGTERM ended the command."),
    (1, "Failure: one sentence on standard error says why, and what to do."),
    (2, "Wrong usage."),
)


def main(folder: Path) -> None:
    """Write a page for the group and one for each command."""
    folder.mkdir(parents=True, exist_ok=True)
    group = click.Context(cli, info_name="bpfexit")
    _write(folder, group)
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command  # noqa: S101 - COMMANDS has no other names
        _write(folder, click.Context(command, info_name=name, parent=group))


def _write(folder: Path, ctx: click.Context) -> None:
    text = "\n".join(
        (_page(ctx), *_commands(ctx), *_examples(ctx.command.epilog or ""), *_end(ctx), "")
    )
    (folder / f"{ctx.command_path.replace(' ', '-')}.1").write_text(text)


def _page(ctx: click.Context) -> str:
    """Return title, name, synopsis, description and options."""
    page = generate_man_page(ctx, version=f"bpfexit {__version__}").replace("\b\n", "")
    title = COMMANDS.get(ctx.info_name or "", cli.help or "").rstrip(".")
    name = ctx.command_path.replace(" ", "-")
    head, _, rest = page.partition(".SH NAME\n")
    head = head.replace(f'"{ctx.command_path.upper()}"', f'"{name.upper()}"')
    _, _, body = rest.partition("\n")  # instead of a first sentence that click_man cuts
    return f"{head}.SH NAME\n{name} \\- {_escaped(title)}\n{body.strip()}"


def _commands(ctx: click.Context) -> Iterator[str]:
    """Yield the list of commands, of the group; click_man would import each."""
    if ctx.command is cli:
        yield ".SH COMMANDS"
        for name, meaning in COMMANDS.items():
            yield from (".TP", rf"\fBbpfexit\-{name}\fP(1)", _escaped(meaning))


def _examples(epilog: str) -> Iterator[str]:
    """Yield an epilog of click, which is laid out already: a heading, and lines below it."""
    lines = epilog.replace("\b", "").strip("\n").split("\n")
    if lines == [""]:
        return
    yield f".SH {lines[0].rstrip(':').upper()}"
    yield from (".nf", *map(_escaped, lines[1:]), ".fi")


def _end(ctx: click.Context) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for status, meaning in _EXIT_STATUS:
        yield from (".TP", rf"\fB{status}\fP", meaning)
    yield ".SH SEE ALSO"
    others = ["bpfexit", *(f"bpfexit-{name}" for name in COMMANDS)]
    here = ctx.command_path.replace(" ", "-")
    yield ",\n".join(rf"\fB{_escaped(name)}\fP(1)" for name in others if name != here)


def _escaped(text: str) -> str:
    """Return a line of text as roff takes it."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^(?=[.'])", r"\\&", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
