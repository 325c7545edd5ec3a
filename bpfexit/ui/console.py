"""The console that every command prints to."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from rich.console import Console

_SIZE = re.compile(r"[1-9][0-9]{0,3}")
"""Columns or lines of a terminal: for 0, rich prints nothing; larger ones use up memory."""

_WIDTH_OF_PIPES = 1000
"""Wider than any table: a name has up to 256 characters."""


class PlainConsole(Console):
    """rich's console, without markup in texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            highlight=False, markup=False, emoji=False, _environ=_environment(), **options
        )

    @classmethod
    def for_tables(cls) -> PlainConsole:
        """Return one that shows every column and cuts no name where there is no terminal."""
        console = cls()
        return cls(width=_WIDTH_OF_PIPES) if console.lines_width is None else console

    @property
    def lines_width(self) -> int | None:
        """Columns that lines have to fit into, on a terminal or as COLUMNS has it; else None."""
        return self.width if self.is_terminal or "COLUMNS" in _environment() else None

    @property
    def is_screen(self) -> bool:
        """Whether the live screen is possible: stdin and stdout are terminals, not dumb ones."""
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        return terminal and self.is_terminal and not self.is_dumb_terminal


def _environment() -> dict[str, str]:
    """Return the environment without impossible terminal sizes."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES") or _SIZE.fullmatch(value)
    }
