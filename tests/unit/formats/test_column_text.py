"""Columns are written alike with orjson and without, and records of them."""

import importlib
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.formats.json import column_text as module

NUMBERS = {
    "u4": st.integers(0, 2**32 - 1),
    "i8": st.integers(-(2**63), 2**63 - 1),
    "u8": st.integers(0, 2**64 - 1),
}


def test_without_orjson_the_module_still_writes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "orjson", None)
        assert importlib.reload(module).number_texts(np.arange(3)) == ["0", "1", "2"]
    importlib.reload(module)


@given(data=st.data(), dtype=st.sampled_from(sorted(NUMBERS)))
def test_the_texts_are_the_same_with_orjson_and_without(data: Any, dtype: str) -> None:
    pytest.importorskip("orjson", reason="only one of the two writers is here")
    column = np.array(data.draw(st.lists(NUMBERS[dtype], max_size=6)), dtype)
    assert module.with_orjson(column) == module.with_str(column)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=6))
def test_what_is_not_known_is_null(rows: list[tuple[int, bool]]) -> None:
    column = np.array([number for number, _ in rows], "u8")
    known = np.array([is_known for _, is_known in rows], bool)
    text = module.records(len(rows), "<", module.known_texts(column, known), ">", ";")
    wanted = (str(number) if is_known else "null" for number, is_known in rows)
    assert text == "".join(f"<{number}>;" for number in wanted)
