"""A sum over a day of guests that come and go stays small, and every exit is in it."""

from bpfexit.model.ended import MOST_ENDED, OTHERS, with_fewer_ended
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot, merged, times
from tests.unit.builders import Exits, pio, snapshot

GUESTS = 2000
EXITS = 3


def second(number: int) -> Snapshot:
    """Return an interval in which one guest lives and another one has started and ended."""
    name, pid = f"short{number}", 1000 + number
    return snapshot(
        pio(0x608, ns=(10,) * EXITS, vm=name, pid=pid, tid=pid),
        Exits(vm="long", pid=9, tid=9, ns=(20,)),
        guests=(Guest(9, "long"), Guest(pid, name, ended=True)),
    )


def test_no_exit_is_lost_and_the_last_ones_are_told_apart() -> None:
    total: Snapshot | None = None
    for number in range(GUESTS):
        total = with_fewer_ended(merged([total, second(number)]) if total else second(number))
        assert len(total.rows) <= MOST_ENDED + 2
        assert len(total.vms) <= MOST_ENDED + 2
        assert len(total.guests) <= MOST_ENDED + 2
        assert len(total.vcpus) <= MOST_ENDED + 2
    assert total
    assert total.others == GUESTS - MOST_ENDED
    counts = {total.vms[vm]: count for vm, count in total.rows.fields[["vm", "count"]].tolist()}
    assert counts.pop("long") == GUESTS
    assert counts.pop(OTHERS) == EXITS * (GUESTS - MOST_ENDED)
    assert counts == {f"short{n}": EXITS for n in range(GUESTS - MOST_ENDED, GUESTS)}
    assert total.exits == GUESTS * (EXITS + 1)


def test_a_sum_with_few_of_them_is_as_it_was() -> None:
    total = second(1)
    assert with_fewer_ended(total, 1) is total


def test_two_guests_that_had_one_pid_are_told_apart() -> None:
    both = snapshot(
        pio(1, ns=(1,), vm="first", pid=7, tid=7),
        pio(1, ns=(1, 1), vm="second", pid=7, tid=7),
        guests=(Guest(7, "first", ended=True), Guest(7, "second")),
    )
    total = with_fewer_ended(both, 0)
    assert sorted(total.vms) == [OTHERS, "second"]
    assert total.ended == {(0, OTHERS)}
    assert total.exits == both.exits
    assert times(total) == times(both)


def test_a_living_guest_is_never_among_the_others() -> None:
    alive = snapshot(
        *(pio(1, ns=(1,), vm=f"g{n}", pid=n) for n in range(1, 9)),
        guests=tuple(Guest(n, f"g{n}") for n in range(1, 9)),
    )
    assert with_fewer_ended(alive, 0) is alive
