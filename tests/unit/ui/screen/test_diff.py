"""What is written turns one screen into another, as an independent terminal shows it."""

from functools import reduce
from unicodedata import normalize

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from bpfexit.model.text import clean
from bpfexit.ui.screen.cells import Grid, Size, blank, grid
from bpfexit.ui.screen.diff import diff
from bpfexit.ui.screen.painter import Painter

SIZE = Size(24, 6)
NO_WRAP = "\x1b[?7l"
STYLES = [Style(), Style(bold=True), Style(color="red"), Style(reverse=True), Style(dim=True)]
TEXT = st.text(st.sampled_from("ab 12.%µ▂█世界é\u0301"), max_size=30)
LINES = st.lists(
    st.lists(st.builds(Segment, TEXT, st.sampled_from(STYLES)), max_size=3), max_size=SIZE.height
)
GRIDS = LINES.map(lambda lines: grid(lines, SIZE))


def shown(screen: pyte.Screen) -> list[list[tuple[str, bool, bool, str]]]:
    """Return the cells of the emulated terminal; it keeps no mark apart from its letter."""
    return [
        [
            (cell.data, cell.bold, cell.reverse, cell.fg)
            for cell in (screen.buffer[line][column] for column in range(screen.columns))
        ]
        for line in range(screen.lines)
    ]


def terminal() -> tuple[pyte.Screen, pyte.Stream]:
    """Return a terminal as the live screen sets it: lines do not wrap."""
    screen = pyte.Screen(SIZE.width, SIZE.height)
    stream = pyte.Stream(screen)
    stream.feed(NO_WRAP)
    return screen, stream


PART = 300  # characters: several parts


def painted(painter: Painter, stream: pyte.Stream, wanted: Grid) -> int:
    """Paint all parts; return the number of characters."""
    is_last, size = False, 0
    while not is_last:
        text, is_last = painter.paint(wanted, PART)
        stream.feed(text)
        size += len(text)
    return size


@given(st.lists(GRIDS, min_size=1, max_size=5))
@example([grid([*[[]] * 5, [Segment("1" * 14 + "世1111世世\u0301")]], SIZE)])
def test_differences_show_what_a_full_repaint_shows(grids: list[Grid]) -> None:
    screen, stream = terminal()
    painter = Painter(no_color=False)
    for wanted in grids:
        painted(painter, stream, wanted)
        whole, whole_stream = terminal()
        painted(Painter(no_color=False), whole_stream, wanted)
        assert shown(screen) == shown(whole)
        texts = ["".join(text for text, _ in cells) for cells in wanted]
        assert [_bare(line) for line in screen.display] == [_bare(text) for text in texts]


def _bare(text: str) -> str:
    """Leave marks out: the emulator has none on wide characters."""
    return normalize("NFD", text).replace("\u0301", "").rstrip()


@given(GRIDS)
def test_the_same_screen_is_written_once(wanted: Grid) -> None:
    painter = Painter(no_color=False)
    painted(painter, terminal()[1], wanted)
    assert painter.paint(wanted, PART) == ("", True)


@given(GRIDS, GRIDS, st.integers(0, SIZE.height - 1), st.integers(0, 40))
def test_parts_add_up_to_the_whole(before: Grid, after: Grid, line: int, most: int) -> None:
    now = before
    for _ in range(2 * SIZE.height):
        found = diff(now, after, lambda _: "", line, most)
        now, line = found.shown, found.line % SIZE.height
        if found.is_last:
            break
    assert now == after
    assert found.is_last


def test_only_what_has_changed_is_written() -> None:
    line = "guest   12.5%    1,234 per s".ljust(SIZE.width)
    before = grid([[Segment(line)]] * 3, SIZE)
    after = grid([[Segment(line)], [Segment(line.replace("12.5", "12.6"))], [Segment(line)]], SIZE)
    found = diff(before, after, lambda _: "", 0, 9999)
    assert found.text == "\x1b[2;12H6"


@pytest.mark.parametrize("name", ["कर्नाटक", "👨🏽vm", "ﷺ", "🇩🇪🇫🇷", "e\u0301\u0302", "שלום"])
def test_text_whose_width_terminals_differ_in_leaves_nothing_behind(name: str) -> None:
    """The emulator's widths are not those of rich: numbers beside a name stay where they are."""
    screen, stream = terminal()
    painter = Painter(no_color=False)
    for text in (f"{name} 12", f"{name}6", "plain"):
        padded = clean(text) + " " * (20 - cell_len(clean(text)))
        painted(painter, stream, grid([[Segment(padded), Segment("end")]], SIZE))
        assert [screen.buffer[0][column].data for column in range(20, 24)] == [*"end "]
    assert screen.display[0] == "plain".ljust(20) + "end "


def test_the_end_of_a_line_is_erased() -> None:
    before = grid([[Segment("a" * SIZE.width)]], SIZE)
    assert diff(before, grid([[Segment("a")]], SIZE), lambda _: "", 0, 99).text == "\x1b[1;2H\x1b[K"


def test_no_colour_leaves_the_rest_of_a_style() -> None:
    style = Style(color="red", bold=True, reverse=True)
    text, _ = Painter(no_color=True).paint(grid([[Segment("x", style)]], SIZE), PART)
    assert "\x1b[1;7mx" in text


def test_half_a_wide_character_at_the_edge_is_a_blank() -> None:
    wanted = grid([[Segment("a" * (SIZE.width - 1) + "世")]], SIZE)
    assert [len(line) for line in wanted] == [SIZE.width] * SIZE.height
    assert wanted[0][-1][0] == " "


def test_a_blank_grid_has_its_size() -> None:
    assert reduce(lambda total, line: total + len(line), blank(SIZE), 0) == 144
