"""All rules: every module of `bpfexit.advice.rules` defines one, as `RULE`."""

from bpfexit.advice import rules
from bpfexit.advice.rule import Rule
from bpfexit.discover import defined

RULES: tuple[Rule, ...] = tuple(sorted(defined(rules, "RULE", Rule), key=lambda known: known.name))
"""By name."""


def rule(name: str) -> Rule | None:
    """Return the rule with this name; None if there is none."""
    return next((known for known in RULES if known.name == name), None)
