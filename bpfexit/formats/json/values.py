"""Values of JSON that somebody else wrote, checked: numbers in their range, and errors in words."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.model.rows import NO_VCPU

MAX_COUNT = 2**63 - 1
MAX_ID = 2**32 - 1
MAX_VCPU = 2**31 - 1
MAX_ADDRESS = 2**64 - 1


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever goes wrong with a document into a `BpfexitError` that says what."""
    try:
        yield
    except RecursionError:
        raise BpfexitError("it is nested too deeply") from None
    except KeyError as error:
        raise BpfexitError(f"{_short(error.args[0])} is missing or not known") from None
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError) as error:
        raise BpfexitError(f"it does not parse ({_short(error)})") from None


def document_of(line: str, schema: str) -> dict[str, Any] | None:
    """Parse a line; None when it is of another schema. Raises as JSON does.

    A line that does not hold the schema's name is not parsed at all; one of another
    schema may hold it, too, as a guest's name.
    """
    if f'"{schema}"' not in line:
        return None
    document = json.loads(line)
    if not isinstance(document, dict) or document.get("schema") != schema:
        return None
    return document


def seconds(value: Any) -> float:
    """Return a time in seconds, which is finite and not negative."""
    number = float(value)
    if not 0 <= number < 1e12:
        raise ValueError(f"{value} is no time")
    return number


def whole(value: Any, most: int) -> int:
    """Return a whole number; a boolean is none."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value} is no whole number from 0 to {most}")
    return value


def wholes(values: list[Any], most: int) -> NDArray[np.uint64]:
    """Return whole numbers, shape (n,), checked as `whole` does."""
    fit = set(map(type, values)) <= {int} and all(0 <= end <= most for end in _ends(values))
    for value in [] if fit else values:
        whole(value, most)  # raises for the one that is wrong
    return np.array(values, np.uint64)


def _ends(values: list[int]) -> tuple[int, ...]:
    return (min(values), max(values)) if values else ()


def count(value: Any) -> int:
    """Return a whole number that fits a counter. Raises `ValueError`."""
    return whole(value, MAX_COUNT)


def thread(each: dict[str, Any]) -> tuple[int, int, int]:
    """Return pid, tid and the vCPU's number. Raises `ValueError`."""
    vcpu = each["vcpu"]
    return (
        whole(each["pid"], MAX_ID),
        whole(each["tid"], MAX_ID),
        NO_VCPU if vcpu is None else whole(vcpu, MAX_VCPU),
    )


def _short(what: object) -> str:
    return ascii(str(what))[1:-1][:80]
