"""A number column: its names, its unit, how it is written."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One number of a line.

    `title` heads the column, `unit` is that of the raw number, `write` returns it as
    text (blank for nan, which means unknown), `json_name` is its field in JSON and
    CSV, and `help` explains it in one line. A table shows the column from a screen
    width of `min_width` on. It has `width` characters, or more for longer numbers.
    """

    key: str
    title: str
    unit: str
    write: Callable[[float], str]
    json_name: str
    help: str
    min_width: int = 0
    width: int = 6
