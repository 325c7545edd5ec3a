"""The console that every command prints to."""

import sys
from typing import Any

from rich.console import Console


class PlainConsole(Console):
    """rich's console, which interprets no text and makes no failure of a closed pipe."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Leave it to `bpfexit.cli`; rich would exit with 1."""
        raise BrokenPipeError

    @property
    def is_screen(self) -> bool:
        """Whether a live screen can be drawn and keys come in, whatever the environment says."""
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return terminal and self.is_terminal and not self.is_dumb_terminal
