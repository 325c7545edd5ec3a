"""Whatever a terminal sends becomes keys, and never an error."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.run.keyboard import TAKEN, Keyboard, keys

NAMES = {
    *("up", "down", "left", "right", "escape", "enter", "backspace", "tab", "backtab"),
    *("pageup", "pagedown", "home", "end", "unknown", TAKEN),
}
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"q", ["q"]),
        (b"pq", ["p", "q"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1bOA\x1bOB\x1bOC\x1bODq", ["up", "down", "right", "left", "q"]),
        (b"\x1b", ["escape"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b[5~\x1b[6~q", ["pageup", "pagedown", "q"]),
        (b"\x1b[H\x1b[F\x1b[1~\x1bOF", ["home", "end", "home", "end"]),
        (b"\t\x1b[Z", ["tab", "backtab"]),
        (b"\x1b[0n", [TAKEN]),
        (b"\x1b[1;5Cq", ["unknown", "q"]),
        (b"\x1b[", ["unknown"]),
        (b"\x1bO", ["unknown"]),
        (b"\x1b[12", ["unknown"]),
        (b"\r\n\x7f\x08", ["enter", "enter", "backspace", "backspace"]),
        ("aä€😀".encode(), ["a", "ä", "€", "😀"]),
        ("€".encode()[:2], ["\ufffd"]),
        ("€".encode()[:2] + b"q", ["\ufffd", "q"]),
        ("😀".encode()[:2] + b"\x1b[A", ["\ufffd", "up"]),
        (b"\x80q", ["\ufffd", "q"]),
    ],
)
def test_keys(data: bytes, found: list[str]) -> None:
    assert keys(data) == found


@given(st.binary(max_size=300))
def test_garbage_becomes_keys(data: bytes) -> None:
    found = keys(data)
    assert len(found) <= len(data)
    assert bool(found) == bool(data)
    for key in found:
        assert key in NAMES or len(key) == 1 or set(key) == {"\ufffd"}


@given(PRINTABLE)
def test_text_becomes_its_characters(text: str) -> None:
    assert keys(text.encode()) == list(text)


@given(st.binary(max_size=20).filter(lambda data: b"\x1b" not in data))
def test_a_key_after_garbage_is_still_a_key(data: bytes) -> None:
    assert keys(data + b"\x1b[A")[-1] == "up"
    assert keys(data + b"q")[-1] == "q"


@given(st.lists(st.sampled_from([b"\x1b[A", b"\x1b[6~", b"x", "é".encode(), b"\r"])))
def test_keys_do_not_depend_on_their_neighbours(parts: list[bytes]) -> None:
    assert keys(b"".join(parts)) == [key for part in parts for key in keys(part)]


def test_an_answer_that_comes_byte_by_byte_is_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a slow line, each byte may be read alone."""
    monkeypatch.setattr("bpfexit.run.keyboard._PAUSE_S", 60.0)  # a thread may be slower yet
    reader, writer = os.pipe()
    keyboard = Keyboard(reader)

    def write() -> None:
        for byte in b"\x1b[0nq":
            os.write(writer, bytes([byte]))

    thread = threading.Thread(target=write)
    found = []
    thread.start()
    while "q" not in found:
        found += keyboard.read()
    thread.join()
    os.close(reader)
    os.close(writer)
    assert found == [TAKEN, "q"]
