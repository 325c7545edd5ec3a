"""A document parsed piece by piece is the document, wherever the pieces end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.formats.json import lists as json_lists
from bpfexit.formats.json.values import TooLargeError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
DOCUMENTS = st.fixed_dictionaries(
    {"rows": st.lists(VALUES, max_size=12), "about": st.text(max_size=8), "end": VALUES}
)
LONGER = 3
"""Times its own length that a part may have within the document, by its indentation."""


def parsed(line: bytes) -> tuple[Any, list[Any]]:
    """Return the document without its rows, and these."""
    rows: list[Any] = []
    return json_lists.parse(line, {"rows": rows.extend}), rows


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 40))
def test_it_is_what_json_says(
    document: dict[str, Any], is_ascii: bool, indent: int | None, piece: int
) -> None:
    text = json.dumps(document, ensure_ascii=is_ascii, indent=indent)
    parts = [*document["rows"], document | {"rows": []}]
    longest = max(len(json.dumps(part, indent=indent).encode()) for part in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "PIECE", LONGER * longest + piece)
        whole = parsed(text.encode("utf-8", "surrogatepass") if is_ascii else text.encode())
    assert whole == (document | {"rows": []}, document["rows"])


@pytest.mark.parametrize("piece", range(40, 60))
@pytest.mark.parametrize("word", ["x", "é", "\U0001f600", '"rows":[', "]", "},{"])
def test_pieces_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, piece: int, word: str) -> None:
    rows = [{"a": word}, 12, word, [], [word, 1.5], {}, None, {"b": {"c": [word]}}] * 3
    text = json.dumps({"rows": rows}, ensure_ascii=False, separators=(",", " : "))
    monkeypatch.setattr(json_lists, "PIECE", piece)
    assert parsed(text.encode()) == ({"rows": []}, rows)


@pytest.mark.parametrize(
    "text",
    [
        '{"rows":[',
        '{"rows":[1',
        '{"rows":[1,',
        '{"rows":[1,]}',
        '{"rows":[,1]}',
        '{"rows":[1 2]}',
        '{"rows":[1}',
        '{"rows":[1]',
        '{"rows":[{"a":1,}]}',
        '{"rows":["a]}',
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(text.encode())
    with pytest.raises(ValueError, match=r"."):
        json.loads(text)
    assert not isinstance(caught.value, TooLargeError)


def test_an_entry_longer_than_a_piece_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"rows": [["x" * 30]], "more": "x" * 100}).encode()
    monkeypatch.setattr(json_lists, "PIECE", 200)
    assert parsed(text)[1] == [["x" * 30]]
    monkeypatch.setattr(json_lists, "PIECE", 30)
    with pytest.raises(TooLargeError, match="entry"):
        parsed(text)


def test_what_is_not_in_a_list_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"rows": list(range(100)), "more": "x" * 100}).encode()
    monkeypatch.setattr(json_lists, "PIECE", 150)
    assert len(parsed(text)[1]) == 100
    monkeypatch.setattr(json_lists, "PIECE", 100)
    with pytest.raises(TooLargeError, match="without its rows"):
        parsed(text)
