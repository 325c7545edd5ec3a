"""Columns as JSON text, and many records made of them at once.

With orjson, where it is installed, numbers are written faster; the text is the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import orjson
except ImportError:  # Debian 12 has no package of it
    orjson = None  # type: ignore[assignment]


Texts = str | list[str]
"""The texts of a column, or the one that all of it has."""


def number_texts(column: NDArray[Any]) -> Texts:
    """Return the texts of a column of integers."""
    if len(column) and (column == column[0]).all():
        return str(column[0])
    return with_orjson(column) if orjson else with_str(column)


def with_orjson(column: NDArray[Any]) -> list[str]:
    """Return the texts; orjson must be installed."""
    text = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    return str(text, "ascii")[1:-1].split(",") if len(column) else []


def with_str(column: NDArray[Any]) -> list[str]:
    """Return the same texts; the standard library needs no package."""
    return [*map(str, column.tolist())]


def known_texts(column: NDArray[Any], known: NDArray[np.bool_]) -> Texts:
    """Return the texts of numbers, null where the mask is false."""
    if known.all():
        return number_texts(column)
    if not known.any():
        return "null"
    texts = number_texts(np.where(known, column, 0))
    texts = [texts] * len(column) if isinstance(texts, str) else texts
    for index in np.flatnonzero(~known).tolist():
        texts[index] = "null"
    return texts


def records(n: int, *columns: Texts) -> str:
    """Return the text of `n` records, each the texts of its columns one after another."""
    parts: list[Texts] = []
    for column in columns:
        if parts and isinstance(column, str) and isinstance(parts[-1], str):
            parts[-1] += column
        else:
            parts.append(column)
    texts = [""] * (n * len(parts))
    for index, part in enumerate(parts):
        texts[index :: len(parts)] = [part] * n if isinstance(part, str) else part
    return "".join(texts)
