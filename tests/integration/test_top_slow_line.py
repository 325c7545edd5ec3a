"""A slow line: nothing is queued behind an older screen."""

from importlib import resources

import pytest

from tests.terminal import Terminal

DEMO = resources.files("bpfexit") / "data" / "svm-demo.jsonl.gz"
TWO_SECONDS = 5000
"""Characters that a line of 2.5 kB/s takes in two seconds."""


def test_what_is_queued_is_less_than_a_slow_line_takes_in_two_seconds() -> None:
    """Keys that change the whole screen are answered while nothing is read."""
    terminal = Terminal("--replay", str(DEMO))
    try:
        terminal.until("help")
        terminal.type("p")
        terminal.until("paused")
        terminal.settle()
        for _ in range(20):
            terminal.type("\t2\t1?x")
            terminal.wait_for_keys()
        before = terminal.written
        while terminal.read(0.0, 1) and terminal.written - before <= TWO_SECONDS:
            if "\x1b[5n" in terminal.raw[-4:]:
                break
        assert terminal.written - before <= TWO_SECONDS / 2
        terminal.type("?")
        terminal.until("with the summary of the whole run")
    finally:
        terminal.kill()


@pytest.mark.parametrize(
    ("keys", "effect"),
    [
        ("fzq", "filter: zq"),
        ("C", "columns (empty"),
        ("g", "pick a guest"),
        ("r", "counters reset"),
    ],
)
def test_the_last_key_is_seen_within_two_seconds_of_a_slow_line(keys: str, effect: str) -> None:
    """Screens change faster than the line takes them: each key comes 250 characters later."""
    terminal = Terminal("--replay", str(DEMO))
    try:
        terminal.until("help")
        for other in "2134567182?x1234567":
            terminal.type(other)
            terminal.wait_for_keys()
            terminal.read(0.0, 250)
        terminal.type(keys)
        terminal.wait_for_keys()
        before = terminal.written
        while effect not in terminal.shown and terminal.written - before <= TWO_SECONDS:
            terminal.read(0.1, 250)
        assert terminal.written - before <= TWO_SECONDS
    finally:
        terminal.kill()
