"""The last intervals of a line."""

from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from bpfexit.model import history
from bpfexit.model.history import History
from bpfexit.model.lines import about
from bpfexit.model.scope import Part, Scope
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query, view
from tests.unit.builders import Exits, pio, snapshot


def filled(*counts: int) -> History:
    found = History()
    for number in counts:
        rows = [pio(0x70, ns=(5,) * number)] if number else []
        found.add(snapshot(*rows, Exits("CPUID", (5,), vm="beta", pid=200, tid=201)))
    return found


def test_a_line_has_a_rate_for_each_interval_and_none_before_the_first() -> None:
    by = ("reason", "port")
    keys = [about(line) for line in view(snapshot(pio(0x70, ns=(5,))), Query(by)).lines]
    rates = filled(3, 0, 7).rates(Part(), by, keys, 5)
    assert len(rates) == 2
    for line in rates:
        assert all(map(isnan, line[:2]))
        assert line[2:] == [3, 0, 7]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(1, 4)), max_size=12))
def test_rates_that_are_known_are_those_that_are_counted(steps: list[tuple[int, int, int]]) -> None:
    """In steps of an interval's number, its exits, and the intervals that are asked for."""
    by = ("reason", "port")
    every = view(snapshot(pio(0x70, ns=(5,)), Exits("CPUID", (5,))), Query(by)).lines
    keys = [about(line) for line in every]
    found, past = History(), dict[int, Snapshot]()
    for number, exits, intervals in steps:
        past = {at: past[at] for at in past if at < number} if number - 1 in past else {}
        past[number] = snapshot(pio(0x70, ns=(5,) * exits))
        found.put(number, past[number])
        asked = keys[exits % 2 :]
        anew = History()
        for each in past.values():
            anew.add(each)
        rates = found.rates(Part(), by, asked, intervals)
        assert repr(rates) == repr(anew.rates(Part(), by, asked, intervals))


def test_an_address_has_no_exits_where_there_is_no_address() -> None:
    by = ("reason", "port")
    of = snapshot(pio(0x70, ns=(5,), reason="HLT"))
    (key,) = (about(line) for line in view(of, Query(by)).lines if line.depth)
    found = History()
    found.add(of)
    found.add(snapshot(Exits("HLT", (5,))))
    assert found.rates(Part(), by, [key], 2) == [[1, 0]]


def test_only_slow_exits_are_counted_if_they_are_wanted() -> None:
    found = History(than_ns=8192)
    found.add(snapshot(pio(0x70, ns=(100, 9_000, 9_000)), Exits("CPUID", (5,))))
    assert found.course(Part()) == [2]
    key = about(view(snapshot(pio(0x70, ns=(5,))), Query(("port",))).lines[0])
    assert found.rates(Part(), ("port",), [key], 1) == [[2]]


def test_a_part_has_the_rates_of_its_exits() -> None:
    found = filled(3, 0, 7)
    assert found.course(Part(Scope(vm="alpha", pid=100))) == [3, 0, 7]
    assert found.course(Part(text="cpuid")) == [1, 1, 1]


def test_only_the_last_ones_are_kept() -> None:
    found = filled(*[1] * (history.INTERVALS + 5))
    assert len(found.course(Part())) == history.INTERVALS
