"""Lines of comma-separated values, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable

from bpfexit.model.text import printable

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of formulas; the last four are the full-width forms of the others."""


def csv_line(values: Iterable[str | float | None]) -> str:
    """Return a line with its newline; None gives an empty cell.

    In a text, invisible characters are escaped, and an apostrophe precedes what a spreadsheet would
    evaluate as a formula.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_cell, values))
    return text.getvalue()


def _cell(value: str | float | None) -> str | float | None:
    return _literal(printable(value)) if isinstance(value, str) else value


def _literal(text: str) -> str:
    """Return the text so that no spreadsheet evaluates it: its first character decides.

    `printable` has escaped the tabs and line breaks that some spreadsheets skip.
    """
    return f"'{text}" if text.lstrip(" '").startswith(_FORMULA) else text
