"""All rules: every module of `bpfexit.advice.rules` defines one, as `RULE`."""

from bpfexit.advice import rules
from bpfexit.advice.rule import Rule
from bpfexit.discover import defined

RULES: tuple[Rule, ...] = tuple(sorted(defined(rules, "RULE", Rule), key=lambda each: each.name))
"""By name, as they are listed."""


def rule(name: str) -> Rule | None:
    """Return the rule of that name."""
    return next((each for each in RULES if each.name == name), None)
