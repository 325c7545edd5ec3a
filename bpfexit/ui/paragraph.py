"""Paragraphs with labels, wrapped at the console's width, without trailing spaces."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_NARROWEST = 20
"""Minimum width of the text next to its label; a narrower text goes below the label."""


@dataclass(frozen=True)
class Paragraph:
    """A text whose lines are indented by `indent` columns; the label precedes the first."""

    label: Text
    text: Text
    indent: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines."""
        room = options.max_width - self.indent
        if room < _NARROWEST:
            yield Text.assemble(self.label, " ", self.text)
            return
        before = self.label.copy()
        before.pad_right(self.indent - before.cell_len)
        for part in self.text.wrap(console, room):
            line = Text.assemble(before, part, no_wrap=True)
            line.rstrip()
            yield line
            before = Text(" " * self.indent)
