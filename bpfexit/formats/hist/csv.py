"""Comma-separated values: a header, then one line for each bucket in use.

`lower_ns` is in the bucket, `upper_ns` is not. A label that is not grouped by,
or is unknown, is empty; addresses are in decimal. `name` is the device's, `named_by` its source.
An apostrophe precedes a text that a spreadsheet would evaluate as a formula.
"""

import csv
import io
from collections.abc import Sequence

from bpfexit.formats.hist.format import Choice, Format
from bpfexit.formats.names import named
from bpfexit.model.distribution import LABELS, Distribution
from bpfexit.model.text import printable

HEADER = (*LABELS, "lower_ns", "upper_ns", "count", "name", "named_by")

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of formulas; the last four are the full-width forms of the others."""


def encode(distributions: Sequence[Distribution]) -> str:
    """Return the header and the lines."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for each in distributions:
        labels = [_cell(each.labels.get(name)) for name in LABELS]
        who = [_cell(value) for value in named(each.name).values()]
        writer.writerows([*labels, *bucket, *who] for bucket in each.used)
    return text.getvalue()


def _cell(value: str | int | None) -> str | int:
    if value is None:
        return ""
    return _literal(printable(value)) if isinstance(value, str) else value


def _literal(text: str) -> str:
    """Return the text so that no spreadsheet evaluates it: its first character decides.

    `printable` has escaped the tabs and line breaks that some spreadsheets skip.
    """
    return f"'{text}" if text.lstrip(" '").startswith(_FORMULA) else text


def _encode(distributions: Sequence[Distribution], choice: Choice) -> str:
    del choice
    return encode(distributions)


FORMAT = Format("csv", "a line per bucket, edges as in json", _encode)
