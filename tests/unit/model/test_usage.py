"""What guests take, added up over intervals, and cut to some guests."""

from dataclasses import replace
from math import isnan

import pytest

from bpfexit.model.filter import Filter, kept
from bpfexit.model.scope import Scope, matching, narrowed
from bpfexit.model.snapshot import merged
from bpfexit.model.usage import (
    GuestUsage,
    HostUsage,
    Quota,
    Role,
    ThreadTimes,
    merged_usage,
)
from tests.unit.builders import Exits, snapshot


def usage(seconds: float, cpu: int | None, **about: object) -> GuestUsage:
    threads = (ThreadTimes(Role.VCPU, 2, cpu, cpu),)
    known: dict[str, object] = {"quotas": (), "major_faults": 0, **about}
    return GuestUsage("web", 100, seconds, threads, **known)  # type: ignore[arg-type]


def quota(throttled_ns: int | None) -> tuple[Quota, ...]:
    return (Quota("/a", 0.5, 2, throttled_ns),)


def test_intervals_add_up() -> None:
    parts = [
        HostUsage((usage(2.0, 10**9, quotas=quota(7), major_faults=3, resident_bytes=1),), 31),
        HostUsage((usage(3.0, 10**9, quotas=quota(4), major_faults=2, resident_bytes=9),), 6),
    ]
    total = merged_usage(parts)
    (guest,) = total.guests
    assert total.swapped_in == 37
    assert (guest.seconds, guest.major_faults, guest.resident_bytes) == (5.0, 5, 9)
    assert (guest.cpu(Role.VCPU), guest.wait(Role.VCPU)) == (0.4, 0.2)
    assert guest.quotas == quota(11)
    assert guest.throttled_ns == 11


def test_the_first_reading_of_a_guest_makes_no_later_one_unknown() -> None:
    first = usage(0.0, None, quotas=quota(None), major_faults=None)
    (guest,) = merged_usage([HostUsage((first,)), HostUsage((usage(1.0, 10**9),))]).guests
    assert guest.cpu(Role.VCPU) == 1.0


def test_an_unknown_part_makes_the_sum_unknown() -> None:
    parts = [HostUsage((usage(1.0, 10**9),), 1), HostUsage((usage(1.0, None),), None)]
    total = merged_usage(parts)
    assert total.swapped_in is None
    assert isnan(total.guests[0].cpu(Role.VCPU))


def test_a_role_that_a_guest_lacks_takes_nothing_and_does_not_wait() -> None:
    guest = usage(1.0, 10**9)
    assert guest.cpu(Role.VHOST) == 0
    assert isnan(guest.wait(Role.VHOST))
    assert isnan(GuestUsage("web", 1, 1.0).cpu(Role.VHOST))


def of_two() -> HostUsage:
    return HostUsage((GuestUsage("web", 100), GuestUsage("db", 200)), 5)


@pytest.mark.parametrize(
    "wanted", [Filter(pids=(100,)), Filter(guests=("w*",)), Filter(guests=("web",), vcpus=(0,))]
)
def test_a_filter_keeps_its_guests(wanted: Filter) -> None:
    snapshots = snapshot(Exits(vm="web", no_latency=1), Exits(vm="db", pid=200, no_latency=1))
    of = kept(replace(snapshots, usage=of_two()), wanted)
    assert of.usage == HostUsage((GuestUsage("web", 100),), 5)


def test_a_part_of_the_screen_has_the_usage_of_its_guest() -> None:
    both = snapshot(Exits(vm="web", no_latency=1), Exits(vm="db", pid=200, no_latency=1))
    both = replace(both, usage=of_two())
    assert narrowed(both, Scope(vm="db", pid=200)).usage.guests == (GuestUsage("db", 200),)
    assert matching(both, "we").usage.guests == (GuestUsage("web", 100),)


def test_a_sum_of_snapshots_has_the_sum_of_their_usage() -> None:
    of = replace(snapshot(Exits(no_latency=1)), usage=HostUsage((usage(1.0, 7),), 2))
    assert merged([of, of]).usage == HostUsage((usage(2.0, 14),), 4)
