"""Fields that several documents and CSV share: targets, vCPUs, numbers."""

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

from bpfexit.events.access import Access
from bpfexit.formats.names import named
from bpfexit.model.column import Column
from bpfexit.model.grouping import GroupKey
from bpfexit.model.lines import Line
from bpfexit.model.rows import NO_VCPU


def target(key: GroupKey) -> dict[str, Any]:
    """Return `kind`, `access`, `address` and its name; null where the line has no address."""
    return {
        "kind": key.kind.json_name,
        "access": None if key.access is Access.NONE else key.access.name.lower(),
        "address": key.address,
        **named(key.name),
    }


def vcpu(number: int | None) -> int | None:
    """Return the number of a vCPU; None if it is unknown."""
    return None if number == NO_VCPU else number


def numbers(line: Line, columns: Sequence[Column]) -> dict[str, float | None]:
    """Return the columns by their JSON names; None where the line has no such number."""
    return {column.json_name: number(line.numbers.get(column.key, nan)) for column in columns}


def number(value: float) -> float | None:
    """Return a number, whole ones as such; None if it is unknown (nan) or infinite."""
    if not isfinite(value):
        return None
    return int(value) if value == int(value) else value
