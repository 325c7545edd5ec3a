"""The documentation of the rules, as rich renderables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpfexit.advice.rule import Rule
from bpfexit.model import numbers
from bpfexit.ui.paragraph import Paragraph

_INDENT = 12


def rules_table(rules: Sequence[Rule]) -> RenderableType:
    """Return a line per rule."""
    indent = max(len(rule.name) for rule in rules) + 2
    return Group(
        *(Paragraph(Text(rule.name, "bold"), Text(rule.looks_for), indent) for rule in rules)
    )


def explained(rule: Rule) -> RenderableType:
    """Return the documentation of a rule."""
    parts = (
        ("looks for", rule.looks_for),
        ("threshold", _threshold(rule)),
        ("cause", rule.why),
        ("remedy", rule.remedy),
        ("limits", rule.limits),
        ("references", "; ".join(rule.references)),
    )
    return Group(*(Paragraph(Text(label, "dim"), Text(text), _INDENT) for label, text in parts))


def _threshold(rule: Rule) -> str:
    rate = f"{numbers.count(rule.per_s)} per second on one vCPU ({rule.because})"
    if not rule.least_share:
        return rate
    return f"{rate}, and {rule.least_share:.0%} of its time, where times are known"
