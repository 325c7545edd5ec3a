"""Suggestions for typos."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Return a message for an unknown `what`, with a similar name and all known names."""
    names = list(known)
    folded = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), folded, 1)
    hint = f"; did you mean {folded[close[0]]!r}?" if close else ""
    return f"unknown {what} {word!r}{hint} ({', '.join(names)})"
