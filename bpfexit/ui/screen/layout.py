"""The columns of a list: which of them fit, and how wide they are. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bpfexit.model.column import Column
from bpfexit.model.columns import columns_of
from bpfexit.ui.labels import shrunk

_LABELS = 40
"""Columns that names may have on any screen whose numbers leave them; else it is a third."""

_LEAST = 18
"""Columns of names that do not give way to the dearest exits."""

_STEP = 4
"""Names' widths are multiples of it, so that the columns seldom move."""


@dataclass(frozen=True)
class Extra:
    """A column that is not a number: `least` columns wide, at most `most`."""

    key: str
    least: int
    most: int
    help: str


DEAREST = Extra("dearest", 17, 40, "the reason or address that took most of the exit time")
TREND = Extra("trend", 8, 20, "exits per second in the last intervals")
HISTOGRAM = Extra("histogram", 14, 14, "latencies, from 64ns at the left to 17s, by factors of 4")
EXTRAS = (DEAREST, TREND, HISTOGRAM)


@dataclass(frozen=True)
class Layout:
    """The columns of a list with their widths: names, numbers, and what is no number."""

    labels: tuple[int, ...]
    columns: tuple[tuple[Column, int], ...]
    extras: tuple[tuple[Extra, int], ...]


def numbers_for(
    by: tuple[str, ...], wanted: Sequence[str], blank: Collection[str], sort: str, width: int
) -> tuple[Column, ...]:
    """Return the number columns: those wanted, or else those that a screen is wide enough for.

    The column that sorts the lines is one of them, and those that are always blank are not.
    """
    every = [column for column in columns_of(by) if column.key not in blank]
    if wanted:
        return tuple(each for each in every if each.key in wanted)
    return tuple(each for each in every if width >= each.min_width or each.key == sort)


def layout(
    labels: Sequence[int],
    columns: Sequence[tuple[Column, int]],
    extras: tuple[Extra, ...],
    width: int,
) -> Layout:
    """Divide the width; `labels` are the widths of the longest names, the first of which shrink.

    Names get a third of the screen, or up to 40 columns if numbers leave so many. Numbers
    that do not fit are left out from the right.
    """
    wanted = [-(-size // _STEP) * _STEP if size > _STEP else size for size in labels]
    gaps = len(labels) - 1
    fitting = _fitting(columns, width - min(sum(wanted) + gaps, width // 3))
    taken = sum(size + 1 for _, size in fitting)
    most = max(min(width // 3, width - taken), min(width - taken, _LABELS))
    sizes = shrunk(wanted, most - gaps)
    left = width - taken - sum(sizes) - gaps
    missing = extras[0].least + 1 - left if extras[:1] == (DEAREST,) else 0
    if 0 < missing <= sum(sizes) - _LEAST:
        sizes = shrunk(sizes, sum(sizes) - missing)
        left += missing
    return Layout(tuple(sizes), tuple(fitting), _extras(extras, left))


def _fitting(columns: Sequence[tuple[Column, int]], width: int) -> list[tuple[Column, int]]:
    found: list[tuple[Column, int]] = []
    for column, size in columns:
        width -= size + 1
        if width < 0:
            break
        found.append((column, size))
    return found


def _extras(extras: Sequence[Extra], left: int) -> tuple[tuple[Extra, int], ...]:
    """Give each its least width while there is room, and what is left to the first ones."""
    sizes: dict[Extra, int] = {}
    for extra in extras:
        if left > extra.least:
            sizes[extra] = extra.least
            left -= extra.least + 1
    for extra, size in sizes.items():
        more = min(max(0, left), extra.most - size)
        sizes[extra] += more
        left -= more
    return tuple(sizes.items())
