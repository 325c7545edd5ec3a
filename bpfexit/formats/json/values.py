"""Checked values of untrusted JSON: numbers in their range, and errors as sentences."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.version1 import translated
from bpfexit.model.rows import NO_VCPU

MAX_COUNT = 2**63 - 1
MAX_ID = 2**32 - 1
MAX_VCPU = 2**31 - 1
MAX_ADDRESS = 2**64 - 1
MAX_NAME = 1 << 17
"""Maximum characters of a name, as of an argument on Linux (MAX_ARG_STRLEN)."""

KEPT_NAME = 1024
"""Characters that are kept of a name beyond its line; bpfexit itself writes up to 256."""

SHORT_LINE = 8 << 20
"""Bytes of a line that is parsed as a whole; a memory map of 1,000 regions has some 50,000."""

_SCHEMA = re.compile(rb'"schema"\s*:\s*"([^"\\]*)"')


class TooLargeError(BpfexitError):
    """A document takes more memory than allowed, whether it is valid or not."""


class Budget:
    """The memory that a document may take; it is refused beyond."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._left = size

    def take(self, size: int) -> None:
        """Use up some bytes. Raises `TooLargeError` if fewer are left."""
        self._left -= size
        if self._left < 0:
            raise TooLargeError(
                f"it takes more than {self.size >> 20} MiB of memory: record fewer guests (-p) "
                "or rows (--max-rows) per file"
            )


class Names(dict[str, int]):
    """Numbers names in order of appearance, from 0."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def __missing__(self, key: str) -> int:
        """Add a new name. Raises `ValueError` for one that is too long."""
        self._budget.take(_A_NAME + 4 * len(short_text(key)))
        return self.setdefault(key, len(self))


_A_NAME = 200
"""Bytes of a string and its dictionary entry, without its characters."""


def short_text(value: Any) -> str:
    """Return a name as text. Raises `ValueError` for one that is too long."""
    text = str(value)
    if len(text) > MAX_NAME:
        raise ValueError(f"a name is longer than {MAX_NAME} characters")
    return text


@contextmanager
def decode_errors() -> Iterator[None]:
    """Turn any error of a document into a `BpfexitError` with the reason."""
    try:
        yield
    except RecursionError:
        raise BpfexitError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise BpfexitError("it is not UTF-8 text") from None
    except KeyError as error:
        raise BpfexitError(f"{_short(error.args[0])} is missing or unknown") from None
    except json.JSONDecodeError:
        raise BpfexitError("it is not JSON") from None
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError) as error:
        raise BpfexitError(f"it is not valid ({_short(error)})") from None


def shortened(name: str) -> str:
    """Return a name to keep beyond its line; a very long one ends in an ellipsis."""
    return name if len(name) <= KEPT_NAME else f"{name[: KEPT_NAME - 1]}…"


Line = str | bytes | bytearray
"""A line of JSON, with the bytes of the file."""


def as_bytes(line: Line) -> bytes | bytearray:
    """Return a line with the bytes of a file. Raises `ValueError` if it cannot be encoded."""
    return line.encode() if isinstance(line, str) else line


def document_of(line: Line, schema: str) -> dict[str, Any] | None:
    """Parse a line; None if it is of another schema. Raises as JSON does.

    A line of another schema is not parsed, and a long line is refused.
    """
    line = as_bytes(line)
    match = _SCHEMA.search(line)
    name = schema.partition("/")[0].encode()
    if not match or match[1].partition(b"/")[0] != name:
        return None
    if len(line) > SHORT_LINE:
        raise TooLargeError(
            f"it is longer than {SHORT_LINE >> 20} MiB, of {schema}: bpfexit writes no such line"
        )
    document = translated(json.loads(str(line, "utf-8")))
    if not isinstance(document, dict) or document.get("schema") != schema:
        return None
    return document


def seconds(value: Any) -> float:
    """Return a time in seconds, which is finite and not negative."""
    number = float(value)
    if not 0 <= number < 1e12:
        raise ValueError(f"{value} is not a time")
    return number


def whole(value: Any, most: int) -> int:
    """Return a whole number. Raises `ValueError` for other values, booleans included."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value} is not a whole number from 0 to {most}")
    return value


def wholes(values: list[Any], most: int) -> NDArray[np.uint64]:
    """Return whole numbers, shape (n,), checked as `whole` does."""
    fit = set(map(type, values)) <= {int} and all(0 <= end <= most for end in _ends(values))
    for value in [] if fit else values:
        whole(value, most)  # raises for the invalid value
    return np.array(values, np.uint64)


def _ends(values: list[int]) -> tuple[int, ...]:
    return (min(values), max(values)) if values else ()


def count(value: Any) -> int:
    """Return a whole number that fits a counter. Raises `ValueError`."""
    return whole(value, MAX_COUNT)


def count_or_none(value: Any) -> int | None:
    """Return a count; None for null, which is unknown. Raises `ValueError`."""
    return None if value is None else count(value)


def thread(entry: dict[str, Any]) -> tuple[int, int, int]:
    """Return pid, tid and the vCPU's number. Raises `ValueError`."""
    vcpu = entry["vcpu"]
    return (
        whole(entry["pid"], MAX_ID),
        whole(entry["tid"], MAX_ID),
        NO_VCPU if vcpu is None else whole(vcpu, MAX_VCPU),
    )


def _short(what: object) -> str:
    return ascii(str(what))[1:-1][:80]
