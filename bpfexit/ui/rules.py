"""The documentation of the rules, as rich renderables."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bpfexit.advice.rule import Rule, threshold
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
        ("references", "\n".join(rule.references)),
    )
    return Group(*(Paragraph(Text(label, "dim"), Text(text), _INDENT) for label, text in parts))


def _threshold(rule: Rule) -> str:
    return f"{threshold(rule)} ({rule.rationale})"
