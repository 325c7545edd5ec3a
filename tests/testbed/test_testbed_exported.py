"""What Prometheus sums up when guests have ended is what they did, and what `top` counted.

The counters in the kernel began shortly before 2^32, and the buckets, of 32 bits, wrapped.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import pytest

from bpfexit.events.kind import NO_KIND
from bpfexit.events.registry import KINDS
from bpfexit.model.losses import NOT_COUNTED
from bpfexit.names.reason_classes import reason_class
from tests.counting import Counted
from tests.testbed.comparing import check_exact
from tests.testbed.conftest import Findings
from tests.testbed.exported import GUESTS
from tests.testbed.vendors import Vendor

pytestmark = pytest.mark.fleet

NUMBER = {kind.name: kind.number for kind in KINDS.values()}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def found(prometheus: str, findings: Findings) -> Any:
    del prometheus
    return findings("exported")


def runs(found: Any) -> Iterator[tuple[str, Counted]]:
    """Yield each guest's name, and how `top` counted it."""
    for (name, _), run in zip(GUESTS, found["runs"], strict=True):
        yield name, Counted(run["guest"], run["snapshots"])


def sums(found: Any, name: str) -> dict[tuple[str, ...], float]:
    """Return the instant sums of this name, by guest and labels."""
    return {tuple(labels): value for *labels, value in found["sums"][name]}


def by_top(
    found: Any, key: Callable[[Row], Any], number: Callable[[Row], int]
) -> Counter[tuple[str, ...]]:
    """Return the sums of a number of the rows of `top`, by guest and key; None is left out."""
    total: Counter[tuple[str, ...]] = Counter()
    for name, run in runs(found):
        for row in run.rows:
            if (labels := key(row)) is not None:
                total[name, *labels] += number(row)
    return +total


def access(row: Row) -> tuple[str, ...] | None:
    return (
        (row["kind"], row["access"], NUMBER[row["kind"]](row["address"])) if row["kind"] else None
    )


def reason(row: Row) -> tuple[str, ...]:
    return (row["reason"],)


def test_accesses_are_those_of_the_guests(found: Any, vendor: Vendor) -> None:
    truth: Counter[tuple[str, ...]] = Counter()
    for name, run in runs(found):
        check_exact(run, vendor)
        for operation in run.operations():
            if labels := access(operation):
                truth[name, *labels] += operation["count"]
    seen = sums(found, "accesses")
    assert {key: seen[key] for key in truth} == truth
    assert seen == by_top(found, access, itemgetter("count"))


def test_exits_are_those_of_top(found: Any) -> None:
    assert sums(found, "exits") == by_top(found, reason, itemgetter("count"))
    assert sums(found, "user_exits") == by_top(found, reason, itemgetter("user_count"))


def test_buckets_that_wrapped_have_every_exit(found: Any, vendor: Vendor) -> None:
    def class_of(row: Row) -> tuple[str, ...] | None:
        halts = row["reason"] == vendor.halt
        return None if halts else (reason_class(row["reason"], row["kind"] or NO_KIND.name),)

    timed = by_top(found, class_of, lambda row: row["count"] - row["no_latency"])
    assert sums(found, "timed") == timed
    assert sums(found, "in_buckets") == sums(found, "timed")


def test_nothing_is_lost(found: Any) -> None:
    lost = {cause: number for (_, cause), number in sums(found, "lost").items()}
    assert {cause: lost[cause] for cause in NOT_COUNTED} == dict.fromkeys(NOT_COUNTED, 0)
