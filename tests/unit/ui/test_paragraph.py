"""Paragraphs beside their labels."""

import io

import pytest
from rich.text import Text

from bpfexit.ui.console import PlainConsole
from bpfexit.ui.paragraph import Paragraph

WORDS = "one two three four five six seven eight nine ten eleven twelve " * 3


def lines(text: str, width: int) -> list[str]:
    file = io.StringIO()
    PlainConsole(file=file, width=width).print(Paragraph(Text("label"), Text(text), 8))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [28, 40, 80, 200])
def test_lines_are_indented_fit_and_have_no_space_at_their_ends(width: int) -> None:
    shown = lines(WORDS, width)
    assert shown[0].startswith("label   one two")
    assert all(line.startswith(" " * 8) for line in shown[1:])
    assert all(len(line) <= width and line == line.rstrip() for line in shown)
    assert " ".join(" ".join(shown).split()) == f"label {WORDS.strip()}"


def test_a_long_word_is_broken_and_an_empty_text_is_its_label() -> None:
    assert "".join(line[8:] for line in lines("x" * 100, 40)) == "x" * 100
    assert lines("", 40) == ["label"]


def test_a_narrow_terminal_loses_nothing() -> None:
    assert " ".join(" ".join(lines(WORDS, 10)).split()) == f"label {WORDS.strip()}"
