"""Run a command of click in this process."""

import inspect
from typing import Any

from click import Command
from click.testing import CliRunner, Result


def invoke(command: Command, *arguments: str, **options: Any) -> Result:
    """Run a command; its output and its errors are apart, with click before 8.2 as well."""
    mixes = "mix_stderr" in inspect.signature(CliRunner).parameters
    apart: dict[str, Any] = {"mix_stderr": False} if mixes else {}
    return CliRunner(**apart).invoke(command, arguments, **options)
