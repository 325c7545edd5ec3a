"""Untrusted text made harmless: names of guests and texts of recordings."""

import unicodedata
from collections.abc import Callable, Iterator

_INVISIBLE = frozenset(
    map(
        chr,
        [
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0),
            *(*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),  # variation selectors
            *(0x2800, 0x1D159),  # BRAILLE PATTERN BLANK, MUSICAL SYMBOL NULL NOTEHEAD
        ],
    )
)
"""Characters that `str.isprintable` accepts and a terminal does not show: those of Unicode 15's
Default_Ignorable_Code_Point that are assigned and are not format characters, and two blanks."""

_MARKS = 3
"""Combining marks on one letter, as polytonic Greek has them; more of them cover other lines."""

LIMIT = 128
"""Maximum characters of a name that are shown."""


def clean(text: str, limit: int = LIMIT) -> str:
    """Return the text with each character that is not visible text as its escape.

    See `printable`. A text longer than `limit` ends in an ellipsis.
    """
    head = text[: limit + 1]
    shown = printable(head)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def printable(text: str) -> str:
    r"""Return the text with each character that is not visible text as its escape (`\x1b`).

    These are control characters, line breaks, the marks that change the direction of
    writing, invisible characters, combining marks without a letter or beyond the
    third on one, and lone surrogates, which no encoding can write.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(text))


def _visible(text: str) -> Iterator[str]:
    """Yield the characters of a text, or their escapes."""
    marks = _MARKS  # a mark at the beginning would change the text before
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        harmless = character.isprintable() and character not in _INVISIBLE and marks <= _MARKS
        yield character if harmless else character.encode("unicode_escape").decode()


def keep_ends(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """Return a text that fits into `width`: a longer one loses its middle to an ellipsis.

    Names of guests often differ at the end, `prod-postgres-web-3`, so the end gets a third
    of the width. `measure` returns the width of a text; on a terminal some
    characters take two columns.
    """
    if measure(text) <= width:
        return text
    if width < 1:
        return ""
    tail = width // 3
    head = width - 1 - tail
    return _longest_prefix(text, head, measure) + "…" + _longest_suffix(text, tail, measure)


def _longest_prefix(text: str, width: int, measure: Callable[[str], int]) -> str:
    end = min(len(text), width)
    while measure(text[:end]) > width:
        end -= 1
    return text[:end]


def _longest_suffix(text: str, width: int, measure: Callable[[str], int]) -> str:
    start = max(0, len(text) - width)
    while measure(text[start:]) > width:
        start += 1
    return text[start:]
