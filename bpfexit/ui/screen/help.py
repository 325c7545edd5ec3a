"""The keys of the live screen, and the meaning of its columns. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat, zip_longest

from rich.segment import Segment
from rich.style import Style

from bpfexit.model.columns import columns_of
from bpfexit.ui.screen.body import Segments
from bpfexit.ui.screen.layout import EXTRAS
from bpfexit.ui.screen.paragraphs import wrapped

_BOLD = Style(bold=True)
_NAMES, _WIDTH_OF_TWO = 14, 76
"""Columns of the names, and those from which keys and columns are side by side."""

_HEADING = Style(reverse=True)


@dataclass(frozen=True)
class Help:
    """The help of a key: in a word, and in full. `replay`: in recordings only, or only live."""

    keys: str
    word: str
    full: str
    replay: bool | None = None


_HELP = (
    Help("? h", "help", "show this help; any key leaves it"),
    Help("q", "quit", "quit, with the summary of the whole run"),
    Help("Enter", "open", "open the selected guest, vCPU, reason or address"),
    Help("Esc", "back", "go back; at the start, end the filter"),
    Help("Tab 1…9", "view", "next view, or the view of that number; Shift-Tab: the one before"),
    Help("← → o O", "sort", "sort by the column to the left or right"),
    Help("f /", "filter", "filter guests, reasons and addresses as you type; /REGEX/"),
    Help("g", "guest", "pick a guest by name"),
    Help("space p", "pause", "pause or continue"),
    Help("] n .", "step", "pause and show the next interval", replay=True),
    Help("[", "back", "pause and show the interval before", replay=True),
    Help("{ }", "ends", "show the first or the last interval", replay=True),
    Help(":", "go to", "show the interval of a number", replay=True),
    Help("t", "total", "show this interval or the total since the start"),
    Help("s", "interval", "set the interval: 0.5, 500ms, 2s", replay=False),
    Help("x", "addresses", "show or hide the addresses below the reasons"),
    Help("b", "by guest", "show all guests"),
    Help("C", "columns", "choose the columns"),
    Help("r", "reset", "reset the counters"),
    Help("c", "cost", "measure the cost of bpfexit again, for half a second", replay=False),
    Help("↑ ↓ j k", "move", "select a line; PgUp, PgDn, Home, End: by pages, to the ends"),
    Help("Ctrl-L", "repaint", "repaint the screen; Ctrl-Z: suspend bpfexit"),
    Help("Ctrl-U", "clear", "in a prompt: delete the line; Ctrl-W: the last word"),
)


def help_of(replay: bool) -> tuple[Help, ...]:
    """Return the keys of a recording, or of a live count."""
    return tuple(key for key in _HELP if key.replay in (None, replay))


def help_heading(width: int) -> Segments:
    """Return the heading of the help."""
    return [Segment("keys and columns".ljust(width), _HEADING)]


def help_lines(replay: bool, width: int) -> Iterator[Segments]:
    """Yield the keys and the columns with their meaning, in two columns where they fit."""
    keys = [(key.keys, key.full) for key in help_of(replay)]
    columns = {each.key: each for by in (("vm",), ("reason",)) for each in columns_of(by)}
    meanings = [(each.title, each.help) for each in columns.values()]
    meanings += [(extra.key, extra.help) for extra in EXTRAS]
    meanings.append(("", "Further views: start with --by; `bpfexit top --help` lists them."))
    meanings.append(("", "Percentiles, min and stddev are accurate to within 25 %."))
    half = width // 2
    if half < _WIDTH_OF_TWO:
        yield from _entries([*keys, ("", ""), *meanings], width)
        return
    columns_of_text = _entries(keys, half - 2), _entries(meanings, half)
    blank = [Segment(" " * (half - 2))]
    for left, right in zip_longest(*columns_of_text, fillvalue=()):
        yield [*(left or blank), Segment("  "), *right]


def _entries(entries: Iterable[tuple[str, str]], width: int) -> Iterator[list[Segment]]:
    """Yield names with their meanings, which may take several lines, all of one width."""
    for name, meaning in entries:
        texts = wrapped(meaning, max(1, width - _NAMES))
        for title, text in zip(chain([name], repeat("")), texts, strict=False):
            yield [Segment(title.ljust(_NAMES), _BOLD), Segment(text.ljust(width - _NAMES))]
