"""The line that says how long counting still takes."""

import io

from bpfexit.ui.countdown import Countdown
from tests.unit.builders import Exits, snapshot


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def counted(stream: io.StringIO) -> str:
    shown = Countdown(stream, 3.0)
    for _ in range(2):
        shown.show(snapshot(Exits(ns=(1,) * 700), duration_s=1.0))
    shown.end()
    return stream.getvalue()


def test_a_terminal_is_told_what_was_counted_and_what_is_left_and_then_nothing() -> None:
    lines = counted(Terminal()).split("\r\x1b[K")
    assert lines == ["", "700 counted, 2 s to go", "1,400 counted, 1 s to go", ""]


def test_what_is_no_terminal_is_told_nothing() -> None:
    assert counted(io.StringIO()) == ""
