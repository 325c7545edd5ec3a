"""`bpfexit schema`."""

from importlib.resources import files

import click

from bpfexit.commands.completion import name_of
from bpfexit.errors import UsageError
from bpfexit.suggest import unknown

_FOLDER = files("bpfexit") / "schemas"

EPILOG = """\b
Examples:
  bpfexit schema                 the names
  bpfexit schema snapshot        of the lines that `top -j` and `record` write
"""


def _names() -> list[str]:
    return sorted(file.name.removesuffix(".json") for file in _FOLDER.iterdir())


@click.command(epilog=EPILOG)
@click.argument("name", required=False, shell_complete=name_of(_names))
def schema(name: str | None) -> None:
    """Print the JSON Schema of a document that bpfexit writes, or the names of all of them."""
    names = _names()
    if name is None:
        click.echo("\n".join(names))
    elif name in names:
        click.echo((_FOLDER / f"{name}.json").read_text(), nl=False)
    else:
        raise UsageError(unknown("schema", name, names))
