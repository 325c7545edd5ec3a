"""Parts are written one after another, when the terminal has taken the one before."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bpfexit.run.keyboard import TAKEN, Keyboard
from bpfexit.run.terminal import Terminal

ASK = "\x1b[5n"
LEAVE = "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"

Ready = tuple[list[int], list[int], list[int]]
"""What select() returns."""


class Pages:
    """A screen of some parts."""

    def __init__(self, *parts: str) -> None:
        self.parts = list(parts)
        self.forgotten = 0
        self.most = 0

    def paint(self, most: int) -> tuple[str, bool]:
        self.most = most
        part = self.parts.pop(0) if self.parts else ""
        return part, not self.parts

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def silent() -> Iterator[Keyboard]:
    """Return the keyboard of a terminal that says nothing more."""
    reader, writer = os.pipe()
    yield Keyboard(reader)
    os.close(reader)
    os.close(writer)


@contextmanager
def awaiting(screen: Pages, keyboard: Keyboard, fd: int) -> Iterator[Terminal]:
    """Show a screen of two parts on a terminal that answers after the first one only."""
    with Terminal(screen, keyboard, fd) as terminal:
        terminal.change()
        terminal.flush()
        terminal.without_answers([TAKEN])
        terminal.flush()
        yield terminal


def written(fd: int) -> str:
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 20).decode()
    except BlockingIOError:
        return ""


def test_the_next_part_waits_for_the_answer(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    terminal = Terminal(Pages("one", "two" * 99_999), Keyboard(reader), writer)
    with terminal:
        assert "\x1b[?1049h" in written(reader)
        terminal.flush()
        assert written(reader) == ""
        terminal.change()
        terminal.flush()
        assert written(reader) == "one" + ASK
        terminal.without_answers([TAKEN])
        terminal.change()
        terminal.flush()
        assert written(reader).startswith("two")
        assert terminal.is_blocked
        terminal.without_answers(["x"])
        terminal.change()
        terminal.flush()
        assert terminal.is_blocked
        terminal._answers = False


def test_without_an_answer_the_next_part_waits_as_long_as_a_slow_line_takes(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    with Terminal(Pages("x" * 2496, "y"), Keyboard(reader), writer) as terminal:
        terminal.change()
        terminal.flush()
        assert written(reader).endswith("x" + ASK)
        assert 0 < terminal.wait_s <= 1
        terminal.flush()
        assert written(reader) == ""
        terminal._next_at = 0.0
        assert terminal.wait_s == 0
        terminal.flush()
        assert written(reader) == "y" + ASK


def test_a_part_is_as_long_as_the_terminal_takes_quickly(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pages = Pages()

    def most_after(size: int, seconds: float) -> int:
        """Return how many characters are asked for after a part that took so long."""
        pages.parts = ["x" * (size - len(ASK)), "y"]
        terminal.change()
        terminal.flush()
        now[0] += seconds
        terminal.without_answers([TAKEN])
        terminal.flush()
        now[0] += seconds
        terminal.without_answers([TAKEN])
        written(reader)
        return pages.most

    terminal = Terminal(pages, Keyboard(reader), writer)
    assert most_after(1000, 0.05) == 2000
    assert most_after(10, 0.05) == 2000  # nothing new is known of its speed
    assert most_after(2000, 0.01) == 20_000
    assert most_after(20_000, 0.4) == 5000
    assert most_after(5000, 2.0) == 1500
    assert most_after(10_000, 1e-9) == 1 << 16


def test_the_screen_is_left_though_the_last_answer_never_comes(
    pipe: tuple[int, int], silent: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setattr("bpfexit.run.terminal._LEAVING_S", 0.01)
    with awaiting(Pages("one", "two"), silent, writer):
        assert written(reader).endswith("two" + ASK)
    assert written(reader) == LEAVE


class FakeTime:
    """A clock and a select(): nothing can be read, and what is to be written is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: Callable[[], bool]) -> None:
        self.now = 100.0
        self._takes = takes
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("select.select", self._select)

    def _select(self, _: object, writing: list[int], __: object, seconds: float) -> Ready:
        if writing and self._takes():
            return [], writing, []
        self.now += seconds
        return [], [], []


def test_a_terminal_that_takes_nothing_for_long_still_leaves_the_screen(
    pipe: tuple[int, int], silent: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    FakeTime(monkeypatch, lambda: bool(written(reader)))
    with awaiting(Pages("one", "two" * 99_999), silent, writer) as terminal:
        assert terminal.is_blocked
    assert written(reader) == LEAVE


def test_a_terminal_that_takes_nothing_more_is_given_up(
    pipe: tuple[int, int], silent: Keyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, writer = pipe
    time = FakeTime(monkeypatch, lambda: False)
    with awaiting(Pages("one", "two" * 99_999), silent, writer) as terminal:
        assert terminal.is_blocked
    assert time.now == 101.0  # half a second for the answer, another for what leaves the screen
    assert not terminal.is_blocked


def test_keys_are_left_of_answers(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    terminal = Terminal(Pages(), Keyboard(reader), writer)
    assert terminal.without_answers(["a", TAKEN, "b"]) == ["a", "b"]


def test_a_terminal_that_has_gone_takes_everything(pipe: tuple[int, int]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    terminal = Terminal(Pages("one"), Keyboard(pipe[0]), writer)
    terminal.change()
    terminal.flush()
    os.close(writer)
    assert not terminal.is_blocked
