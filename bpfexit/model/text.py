"""Text that others wrote, made harmless: names of guests and what recordings say."""

LIMIT = 128
"""Characters of a name that are shown."""


def clean(text: str, limit: int = LIMIT) -> str:
    """Return the text with each character that is not visible text as its escape.

    See `printable`. What is longer than `limit` ends in an ellipsis.
    """
    head = text[: limit + 1]
    shown = printable(head)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def printable(text: str) -> str:
    r"""Return the text with each character that is not visible text as its escape (`\x1b`).

    These are control characters, line breaks, the marks that turn the direction of
    writing, invisible characters, combining marks without a letter or beyond the
    third on one, and lone surrogates, which no encoding can write.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(text))


def _visible(text: str) -> Iterator[str]:
    """Yield the characters of a text, or their escapes."""
    marks = _MARKS  # a mark at the beginning would change the text before
    for each in text:
        marks = marks + 1 if unicodedata.category(each) in ("Mn", "Me") else 0
        harmless = each.isprintable() and each not in _INVISIBLE and marks <= _MARKS
        yield each if harmless else each.encode("unicode_escape").decode()
