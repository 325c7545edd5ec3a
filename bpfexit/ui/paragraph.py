"""Paragraphs beside their labels, broken at the console's width, without spaces at their ends."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_NARROWEST = 20
"""Columns below which a terminal is taken for broader than it is."""


@dataclass(frozen=True)
class Paragraph:
    """A text, its lines `indent` columns in; the label stands before the first."""

    label: Text
    text: Text
    indent: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines."""
        room = max(_NARROWEST, options.max_width - self.indent)
        before = self.label.copy()
        before.pad_right(self.indent - before.cell_len)
        for line in self.text.wrap(console, room):
            line.rstrip()
            yield Text.assemble(before, line, no_wrap=True)
            before = Text(" " * self.indent)
