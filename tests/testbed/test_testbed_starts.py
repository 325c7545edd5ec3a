"""Starts on each kernel: compiled once, whatever the limit on locked memory, in little memory."""

from tests.testbed.conftest import Findings
from tests.testbed.starts import LITTLE

MOST_MIB = 60


def test_the_second_start_compiles_nothing(findings: Findings) -> None:
    assert findings("starts")["compiled"] == [1, 1]


def test_the_limit_on_locked_memory_is_as_it_was(findings: Findings) -> None:
    assert findings("starts")["locked_memory"] == [LITTLE, LITTLE]


def test_the_process_that_counts_stays_small(findings: Findings) -> None:
    peak = findings("starts")["peak_kib"] / 1024
    print(f"{peak:.0f} MiB at most")
    assert peak < MOST_MIB
