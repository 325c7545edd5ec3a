"""The size that the environment says the terminal has, believed only if one may have it."""

import pytest

from bpfexit.ui.console import PlainConsole


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        ("100", 100),
        ("9999", 9999),
        ("0", 80),
        ("-5", 80),
        ("", 80),
        ("10000", 80),
        ("9" * 5000, 80),
        ("٣٣", 80),
    ],
)
def test_a_size_no_terminal_has_is_ignored(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert PlainConsole().width == width


def test_a_pipe_is_wide_enough_for_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert PlainConsole.for_tables().width > 500
    monkeypatch.setenv("COLUMNS", "90")
    assert PlainConsole.for_tables().width == 90
