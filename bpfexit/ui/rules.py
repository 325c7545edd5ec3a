"""What the rules say of themselves, as rich renderables."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bpfexit.advice.rule import Rule
from bpfexit.ui import numbers


def rules_table(rules: Sequence[Rule]) -> RenderableType:
    """Return a line for each rule."""
    grid = _grid()
    for rule in rules:
        grid.add_row(Text(rule.name, "bold"), Text(rule.looks_for))
    return grid


def explained(rule: Rule) -> RenderableType:
    """Return all that a rule says of itself."""
    grid = _grid()
    grid.add_row(Text(rule.name, "bold"), Text(rule.looks_for, "bold"))
    for label, text in (
        ("threshold", _threshold(rule)),
        ("why", rule.why),
        ("remedy", rule.remedy),
        ("limits", rule.limits),
        ("reference", "; ".join(rule.references)),
    ):
        grid.add_row(label, Text(text))
    return grid


def _threshold(rule: Rule) -> str:
    rate = f"{numbers.count(rule.per_s)} a second on one vCPU ({rule.because})"
    if not rule.least_share:
        return rate
    return f"{rate}, and {rule.least_share:.0%} of its time, where times are known"


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    return grid
