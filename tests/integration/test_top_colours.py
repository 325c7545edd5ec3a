"""Colours of the live screen: the 16 of every terminal, on any background, or none."""

import re
from importlib import resources

import pytest

from tests.terminal import ALTERNATE_ON, Terminal

DEMO = resources.files("bpfexit") / "data" / "svm-demo.jsonl.gz"
PAGES = ("1", "2", "\r", "\x1b", "6", "\r", "?", "\x1b", "f0x\r")
WITHOUT_COLOUR = {"", "0", "1", "2", "7"}
"""Plain, bold, dim and reverse."""

FOREGROUND = {"31", "32", "33", "36"}
"""Red, green, yellow and cyan: neither black nor white, and no background."""


def codes(terminal: Terminal) -> set[str]:
    """Return the codes of all styles on the screens of a recording."""
    try:
        terminal.type("n")
        terminal.until("paused at 1")  # from now on there are rows
        for key in PAGES:
            terminal.type(key)
            terminal.settle()
        return {
            code
            for codes in re.findall(r"\x1b\[([0-9;]*)m", terminal.raw)
            for code in codes.split(";")
        }
    finally:
        terminal.kill()


@pytest.mark.parametrize("kind", ["xterm-256color", "linux", "vt100", "xterm"])
def test_colours_suit_light_and_dark_terminals_of_16(kind: str) -> None:
    found = codes(Terminal("--replay", str(DEMO), TERM=kind, COLORTERM="truecolor"))
    assert found <= WITHOUT_COLOUR | FOREGROUND
    assert found & FOREGROUND


def test_no_color_leaves_bold_and_reverse() -> None:
    found = codes(Terminal("--replay", str(DEMO), NO_COLOR="1"))
    assert found <= WITHOUT_COLOUR
    assert "7" in found


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_tables(kind: str) -> None:
    terminal = Terminal("--replay", str(DEMO), TERM=kind)
    written = terminal.until_written("all 8 intervals.*hlt")
    assert terminal.end() == 0
    assert "\x1b" not in written + terminal.raw
    assert ALTERNATE_ON not in written
    assert written.count("0x0608 read") == 9
