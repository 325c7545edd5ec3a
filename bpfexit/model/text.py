"""Text that others wrote, made harmless: names of guests and what recordings say."""

LIMIT = 128
"""Characters of a name that are shown."""


def clean(text: str, limit: int = LIMIT) -> str:
    r"""Return the text with everything that is no printable character as its escape (`\x1b`).

    That takes control characters, line breaks and the marks that turn the
    direction of writing. What is longer than `limit` ends in an ellipsis.
    """
    head = text[: limit + 1]
    shown = printable(head)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def printable(text: str) -> str:
    r"""Return the text with everything that is no printable character as its escape (`\x1b`).

    That takes control characters, line breaks, the marks that turn the direction
    of writing, and lone surrogates, which no encoding can write.
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
