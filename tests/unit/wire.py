"""`bpf_programs/wire.h` read as text: its constants, and its structs as numpy dtypes."""

import re
from functools import cache
from typing import Any

import numpy as np

from bpfexit.tracer.plan import folder

_DEFINE = re.compile(r"^#define (\w+) (\(?\w+(?: << \w+)?\)?)", re.MULTILINE)
_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(r"^\t(?:struct )?(\w+) (\w+)(?:\[(\w+)\])?;", re.MULTILINE)


@cache
def _text() -> str:
    return (folder() / "wire.h").read_text()


def defines() -> dict[str, int]:
    """Return the constants by name."""
    return {name: _value(text) for name, text in _DEFINE.findall(_text())}


def _value(text: str) -> int:
    value, *shift = (int(part, 0) for part in text.strip("()").split(" << "))
    return value << sum(shift)


def struct(name: str) -> np.dtype[Any]:
    """Return a struct's layout as the compiler aligns it."""
    body = dict(_STRUCT.findall(_text()))[name]
    return np.dtype([_member(*found) for found in _MEMBER.findall(body)], align=True)


def _member(kind: str, name: str, length: str) -> tuple[str, Any, tuple[int, ...]]:
    dtype = {"u64": np.dtype("u8"), "u32": np.dtype("u4")}.get(kind) or struct(kind)
    return name, dtype, (defines()[length],) if length else ()
