"""Records of the ring buffer become slow exits, with names and in order."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.pio import PIO
from bpfexit.model.guest import Identity
from bpfexit.model.slow import RECORD, Slow, slow_exits
from bpfexit.names.reasons import BUILT_IN, Isa
from tests.unit import wire
from tests.unit.builders import SLOW_EXIT

C = wire.defines()
READ_OF_4 = C["ACCESS_READ"] | PIO | 4 << C["SIZE_SHIFT"]
IO, HLT = 0x7B, 0x78


def records(*each: dict[str, int]) -> Any:
    array = np.zeros(len(each), RECORD)
    for at, values in enumerate(each):
        for name, value in values.items():
            array[at][name] = value
    return array


def of(names: dict[int, str]) -> Callable[[Identity], str]:
    return lambda identity: names[identity.pid]


def test_the_record_is_that_of_the_programs() -> None:
    assert wire.struct("slow_exit") == RECORD


def test_a_record_says_who_when_where_and_how_long() -> None:
    array = records(
        {
            "owner": 500 << 32 | 600,
            "packed_key": IO << C["REASON_SHIFT"] | 3 << C["SLOT_SHIFT"] | READ_OF_4,
            "target": 0x608,
            "rip": 0x7C12,
            "end_ns": 2_250_000_000,
            "ns": 1_500_000,
            "user_ns": 1_400_000,
            "vcpu_id": 7,
            "isa": Isa.SVM,
        }
    )
    assert slow_exits(array, BUILT_IN, of({500: "web"}), 1000.0) == (SLOW_EXIT,)


def test_what_is_measured_of_its_time_is_told() -> None:
    parts = {"wait_ns": 4, "user_wait_ns": 3, "blocked_ns": 2, "user_blocked_ns": 1}
    array = records({"isa": Isa.SVM, **parts}, {"isa": Isa.NONE, **parts})

    def found(**measured: bool) -> list[tuple[int | None, ...]]:
        each = slow_exits(array, BUILT_IN, of({0: "web"}), 0.0, **measured)
        return [tuple(getattr(one, name) for name in parts) for one in each]

    nothing = (None, None, None, None)
    assert found() == [nothing, nothing]
    assert found(has_waiting=True) == [(4, 3, None, None), (None, 3, None, None)]
    assert found(has_waiting=True, has_blocked=True) == [(4, 3, 2, 1), (None, 3, None, 1)]


def test_what_a_back_end_without_exits_does_not_tell_is_none() -> None:
    array = records({"packed_key": READ_OF_4, "user_ns": 3_000_000, "isa": Isa.NONE})
    (found,) = slow_exits(array, BUILT_IN, of({0: "web"}), 0.0)
    assert (found.reason, found.rip, found.ns) == (None, None, None)
    assert found.took_ns == 3_000_000


def test_an_exit_without_an_access_has_no_address() -> None:
    array = records({"packed_key": HLT << C["REASON_SHIFT"], "ns": 5, "isa": Isa.SVM, "rip": 16})
    (found,) = slow_exits(array, BUILT_IN, of({0: "web"}), 0.0)
    assert (found.kind, found.access, found.address) == (NO_KIND, Access.NONE, None)


def test_they_come_in_the_order_in_which_they_ended() -> None:
    array = records(*({"end_ns": end, "owner": end << 32} for end in (30, 10, 20)))
    found = slow_exits(array, BUILT_IN, of({30: "c", 10: "a", 20: "b"}), 0.0)
    assert [each.vm for each in found] == ["a", "b", "c"]


def test_two_processes_that_had_one_number_are_told_apart() -> None:
    array = records(*({"owner": 7 << 32, "process_start": start} for start in (100, 200)))
    names = {Identity(7, 100): "first", Identity(7, 200): "second"}
    found = slow_exits(array, BUILT_IN, names.__getitem__, 0.0)
    assert [each.vm for each in found] == ["first", "second"]


def test_what_was_not_told_is_in_the_count() -> None:
    assert Slow(10**6, (), limited=3, dropped=4).count == 7
