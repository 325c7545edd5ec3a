"""Two readings of counters make an interval."""

from bpfexit.model.event_counts import (
    EventCount,
    Key,
    Owner,
    Reading,
    Source,
    interval_between,
)

GUEST = Owner("alpha", 100, vm="100-11")


def reading(at_s: float, lost: int = 0, **values: int) -> Reading:
    keys = {Key(GUEST, Source.COUNTER, name): value for name, value in values.items()}
    return Reading(int(at_s * 1e9), keys, lost)


def test_a_counter_counts_what_it_grew_by() -> None:
    interval = interval_between(reading(1, exits=10), reading(3, exits=17), 50.0)
    (count,) = interval.counts
    assert (count.count, count.total, interval.per_s(count)) == (7, 17, 3.5)
    assert (interval.start, interval.duration_s) == (50.0, 2.0)


def test_one_that_is_new_or_was_cleared_counts_from_zero() -> None:
    before, after = reading(0, exits=10), reading(1, exits=3, halt_exits=5)
    counts = {each.key.event: each.count for each in interval_between(before, after, 0.0).counts}
    assert counts == {"exits": 3, "halt_exits": 5}


def test_a_gauge_has_no_count_and_a_tracepoint_no_total() -> None:
    gauge, point = Key(GUEST, Source.GAUGE, "pages_4k"), Key(GUEST, Source.TRACEPOINT, "kvm_exit")
    before, after = Reading(0, {gauge: 9, point: 1}), Reading(10**9, {gauge: 4, point: 3}, lost=2)
    interval = interval_between(before, after, 0.0)
    assert set(interval.counts) == {EventCount(gauge, None, 4), EventCount(point, 2, None)}
    assert [interval.per_s(each) for each in interval.counts] == [None, 2.0]
    assert interval.lost == 2


def test_an_interval_without_length_has_no_rate() -> None:
    interval = interval_between(reading(1, exits=1), reading(1, exits=2), 0.0)
    assert interval.per_s(interval.counts[0]) is None
