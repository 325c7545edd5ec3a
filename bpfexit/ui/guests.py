"""The table of running guests: lines of text that fit the terminal. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from bpfexit.model import numbers
from bpfexit.model.running_guest import RunningGuest
from bpfexit.model.text import keep_ends, printable

_UNKNOWN = "-"
_GAP = "  "
_SHORTEST_NAME = 24
"""Width that a long name keeps; for less, other columns are hidden first."""
_NARROWEST_NAME = 8


@dataclass(frozen=True)
class _Column:
    title: str
    write: Callable[[RunningGuest], str]
    is_number: bool = False


_NAME = _Column("guest", lambda running: printable(running.guest.name))
_NAMED_BY = _Column("named by", lambda running: running.guest.named_by)
_RESIDENT = _Column(
    "resident",
    lambda running: (
        "" if running.resident_bytes is None else numbers.memory(running.resident_bytes)
    ),
    is_number=True,
)
_UUID = _Column("UUID", lambda running: running.uuid or "")
_COLUMNS = (
    _NAME,
    _NAMED_BY,
    _Column("PID", lambda running: str(running.guest.pid), is_number=True),
    _Column("VMM", lambda running: running.guest.vmm),
    _Column("vCPUs", lambda running: str(running.vcpus), is_number=True),
    _Column(
        "memory",
        lambda running: (
            "" if running.memory_bytes is None else numbers.memory(running.memory_bytes)
        ),
        is_number=True,
    ),
    _RESIDENT,
    _Column(
        "running",
        lambda running: "" if running.running_s is None else numbers.elapsed(running.running_s),
        is_number=True,
    ),
    _UUID,
)
_GIVE_WAY = (_UUID, _NAMED_BY, _RESIDENT)
"""Columns that a narrow terminal hides, in this order."""


def lines(guests: Sequence[RunningGuest], width: int | None) -> Iterator[Text]:
    """Yield the heading and a line per guest; all columns and full names for a width of None."""
    cells = {column: [column.write(guest) or _UNKNOWN for guest in guests] for column in _COLUMNS}
    shown = list(_COLUMNS)
    if width is not None:
        shown = _fitting(cells, width)
        room = max(_NARROWEST_NAME, _room(cells, shown, width))
        cells[_NAME] = [keep_ends(name, room, cell_len) for name in cells[_NAME]]
    yield Text(
        _line([(column, column.title, _width(cells, column)) for column in shown]), "reverse"
    )
    for index in range(len(guests)):
        yield Text(
            _line([(column, cells[column][index], _width(cells, column)) for column in shown])
        )


_Cells = dict[_Column, list[str]]


def _fitting(cells: _Cells, width: int) -> list[_Column]:
    """Return the columns that leave enough width for the names."""
    shown = list(_COLUMNS)
    enough = min(_SHORTEST_NAME, _width(cells, _NAME))
    for column in _GIVE_WAY:
        if _room(cells, shown, width) < enough:
            shown.remove(column)
    return shown


def _room(cells: _Cells, shown: Sequence[_Column], width: int) -> int:
    """Return the width that the other columns leave for the names."""
    return width - sum(len(_GAP) + _width(cells, column) for column in shown if column is not _NAME)


def _width(cells: _Cells, column: _Column) -> int:
    return max(map(cell_len, [column.title, *cells[column]]))


def _line(cells: Sequence[tuple[_Column, str, int]]) -> str:
    return _GAP.join(_padded(*cell) for cell in cells).rstrip()


def _padded(column: _Column, text: str, width: int) -> str:
    padding = " " * (width - cell_len(text))
    return padding + text if column.is_number else text + padding
