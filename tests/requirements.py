"""What tests need of the machine: without it they are skipped, unless it was demanded.

The environment variable BPFEXIT_REQUIRE lists, with commas between, what must
be there: then a test that lacks it fails instead.
"""

import os
from typing import NoReturn

import pytest

VARIABLE = "BPFEXIT_REQUIRE"
KNOWN = frozenset({"root", "kvm", "bpf", "testbed", "vmx", "prometheus", "debian"})


def demanded() -> frozenset[str]:
    """Return what must be there. Raises `pytest.UsageError` for a name that is none."""
    parts = (part.strip() for part in os.environ.get(VARIABLE, "").split(","))
    names = frozenset(part for part in parts if part)
    unknown = names - KNOWN
    if unknown:
        raise pytest.UsageError(
            f"{VARIABLE} names {', '.join(sorted(unknown))}: it may name {', '.join(sorted(KNOWN))}"
        )
    return names


def lacking(name: str, reason: str) -> NoReturn:
    """Skip the test, or fail it when `name` was demanded."""
    assert name in KNOWN
    give_up = pytest.fail if name in demanded() else pytest.skip
    give_up(f"needs {name}: {reason}")
